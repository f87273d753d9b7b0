export { toElementChanges, type ElementChange } from '../element-change.js';
export { ElementWriter } from '../element-writer.js';
export { openNetlinkSocket, type NetlinkSocket } from '../netlink-socket.js';
export { FakeNftables } from './fake-nftables.js';
export { scriptedNftables, type ScriptedAnswer, type ScriptedInput } from './scripted-nftables.js';
