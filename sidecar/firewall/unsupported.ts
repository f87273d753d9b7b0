import { NftError } from 'nftables-json';
import { GwmarkError } from '../errors.js';

/**
 * True if the kernel lacks what a change of nftables needs: the family of the table, or an expression of a rule
 * (EOPNOTSUPP of `nf_tables_newtable()` and `nf_tables_newrule()`).
 */
export function isUnsupported(error: unknown): error is GwmarkError {
  return error instanceof GwmarkError && error.cause instanceof NftError && error.cause.code === 'EOPNOTSUPP';
}
