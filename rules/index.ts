export * from './address.js';
export * from './mac-address.js';
export * from './world.js';
export * from './sources.js';
export * from './structure.js';
export * from './nexthop-structure.js';
export {
  ABOUT_CHAIN,
  LAYOUT,
  LAYOUT_COMMENT,
  clientSetName,
  originalComment,
  parseOrderComment,
  parseOriginalComment,
  parseTransportComment,
  transportComment,
} from './selection.js';
export * from './clients.js';
export * from './module-structure.js';
export * from './bridge-structure.js';
export * from './routing.js';
export { isAnswerable } from './path-filters.js';
export { legsTable, markWithoutGateway, needsLegs } from './legs.js';
export * from './module-routing.js';
export * from './diff.js';
export * from './iptables-rules.js';
export * from './iptables-nexthop.js';
export * from './iptables-module.js';
export { needsMarkedErrors } from './path-mtu.js';
