export type * from './command.js';
export type * from './expression.js';
export { isAlreadyExists, isNotFound, NFT_ERROR_CODES, NftError, type NftErrorCode } from './nft-error.js';
export type * from './nftables.js';
export type * from './objects.js';
export { openNftables, type NftablesOptions } from './open.js';
export type * from './statement.js';
export { Transaction } from './transaction.js';
