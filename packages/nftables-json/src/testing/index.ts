export { toElementChanges, type ElementChange } from '../element-change.js';
export { rewriteBatch, writeBatch } from '../element-messages.js';
export { ElementWriter } from '../element-writer.js';
export { MessageWriter } from '../netlink-message.js';
export { openNetlinkSocket, type NetlinkSocket } from '../netlink-socket.js';
export { FakeNftables } from './fake-nftables.js';
export { scriptedNftables, type ScriptedAnswer, type ScriptedInput } from './scripted-nftables.js';
