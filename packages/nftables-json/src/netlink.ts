/** Netlink sockets for subsystems other than nf_tables, and what sockets by koffi need, as `nftables-json/netlink`. */
export { DescriptorGuard } from './descriptor-guard.js';
export { loadKoffi } from './koffi.js';
export { MessageWriter, NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST } from './netlink-message.js';
export { openNetlinkSocket, type NetlinkSocket, type NetlinkSocketOptions } from './netlink-socket.js';
