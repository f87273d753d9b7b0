export { FakeIpset } from './fake-ipset.js';
export { FakeIptables, type FakeIptablesOptions } from './fake-iptables.js';
export { scriptedIptables, type ScriptedAnswer, type ScriptedCall } from './scripted-iptables.js';
