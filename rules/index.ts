export * from './address.js';
export * from './world.js';
export * from './structure.js';
export * from './nexthop-structure.js';
export * from './clients.js';
export * from './routing.js';
export * from './diff.js';
