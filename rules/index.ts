export * from './address.js';
export * from './world.js';
export * from './structure.js';
export * from './nexthop-structure.js';
export { ABOUT_CHAIN, LAYOUT, LAYOUT_COMMENT, clientSetName, originalComment, parseOriginalComment, parseTransportComment, transportComment } from './selection.js';
export * from './clients.js';
export * from './routing.js';
export * from './diff.js';
