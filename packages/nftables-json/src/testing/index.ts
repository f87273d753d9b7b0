export { FakeNftables } from './fake-nftables.js';
export { scriptedNftables, type ScriptedAnswer, type ScriptedInput } from './scripted-nftables.js';
