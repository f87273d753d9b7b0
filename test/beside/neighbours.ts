import type { Neighbour } from './neighbour.js';
import { ADDRESS_NEIGHBOURS } from './neighbours/addresses.js';
import { CARD_NEIGHBOURS } from './neighbours/cards.js';
import { DCO_NEIGHBOURS } from './neighbours/dco.js';
import { DEVICE_NEIGHBOURS } from './neighbours/devices.js';
import { FLOWTABLE_NEIGHBOURS } from './neighbours/flowtable.js';
import { LISTENER_NEIGHBOURS } from './neighbours/listeners.js';
import { NETWORK_MANAGER_NEIGHBOURS } from './neighbours/network-managers.js';
import { OPENVPN_NEIGHBOURS } from './neighbours/openvpn.js';
import { OTHER_VPN_NEIGHBOURS } from './neighbours/other-vpns.js';
import { PACKET_FILTER_NEIGHBOURS } from './neighbours/packet-filters.js';
import { PATH_MTU_NEIGHBOURS } from './neighbours/path-mtu.js';
import { REVERSE_PATH_NEIGHBOURS } from './neighbours/reverse-path.js';
import { ROUTER_NEIGHBOURS } from './neighbours/routers.js';
import { TUNNEL_NEIGHBOURS } from './neighbours/tunnels.js';

/** The whole table; its order within a group is that of the page. */
export const NEIGHBOURS: readonly Neighbour[] = [
  ...LISTENER_NEIGHBOURS,
  ...PACKET_FILTER_NEIGHBOURS,
  ...FLOWTABLE_NEIGHBOURS,
  ...NETWORK_MANAGER_NEIGHBOURS,
  ...OTHER_VPN_NEIGHBOURS,
  ...REVERSE_PATH_NEIGHBOURS,
  ...ROUTER_NEIGHBOURS,
  ...ADDRESS_NEIGHBOURS,
  ...PATH_MTU_NEIGHBOURS,
  ...CARD_NEIGHBOURS,
  ...DEVICE_NEIGHBOURS,
  ...TUNNEL_NEIGHBOURS,
  ...OPENVPN_NEIGHBOURS,
  ...Object.values(DCO_NEIGHBOURS),
];
