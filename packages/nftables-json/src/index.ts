export type * from './command.js';
export type * from './expression.js';
export type * from './nftables.js';
export type * from './objects.js';
export type * from './statement.js';
export { Transaction } from './transaction.js';
