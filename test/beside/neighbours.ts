import type { Neighbour } from './neighbour.js';
import { LISTENER_NEIGHBOURS } from './neighbours/listeners.js';
import { OPENVPN_NEIGHBOURS } from './neighbours/openvpn.js';
import { PATH_MTU_NEIGHBOURS } from './neighbours/path-mtu.js';
import { REVERSE_PATH_NEIGHBOURS } from './neighbours/reverse-path.js';
import { ROUTER_NEIGHBOURS } from './neighbours/routers.js';

/** The whole table; its order within a group is that of the page. */
export const NEIGHBOURS: readonly Neighbour[] = [
  ...LISTENER_NEIGHBOURS,
  ...REVERSE_PATH_NEIGHBOURS,
  ...ROUTER_NEIGHBOURS,
  ...PATH_MTU_NEIGHBOURS,
  ...OPENVPN_NEIGHBOURS,
];
