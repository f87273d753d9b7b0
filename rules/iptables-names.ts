/** The longest `table` from which names of chains and sets can be made: a set has 30 bytes. */
export const MAX_IPTABLES_TABLE_LENGTH = 16;

/** `gwmark-`: what the names of our chains and sets begin with. */
export function iptablesPrefix(table: string): string {
  return `${table}-`;
}
