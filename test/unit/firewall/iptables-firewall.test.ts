/** IptablesFirewall on the fakes; the same suite runs on the kernel, in test/integration/firewall. */
import assert from 'node:assert/strict';
import { IptablesError } from 'iptables-wrapper';
import { FakeIpset, FakeIptables } from 'iptables-wrapper/testing';
import { compileIptablesNexthop, iptablesSeenSet } from '../../../rules/index.js';
import { IptablesFirewall } from '../../../sidecar/firewall/iptables-firewall.js';
import { describeIptablesFirewall } from '../../integration/firewall/iptables-suite.js';
import { POLICY, gateway, site } from '../rules/sample-site.js';

function open(): { iptables: FakeIptables; ipset: FakeIpset; hasMacSets: boolean } {
  const ipset = new FakeIpset();
  return { iptables: new FakeIptables({ prefix: 'gwmark-', ipset }), ipset, hasMacSets: true };
}

describeIptablesFirewall('the fake', {
  open: async () => open(),
  disturb({ iptables }, commands) {
    if (iptables instanceof FakeIptables) iptables.inject(commands);
  },
  runs: 6,
});

describe('IptablesFirewall, when a change is refused', () => {
  it('says so, and writes everything at the next one', async () => {
    const tools = open();
    const firewall = new IptablesFirewall(tools, POLICY.table);
    await firewall.apply(compileIptablesNexthop(site(), firewall.machine), []);
    tools.iptables.failNext(new IptablesError('EINVAL', 'replace chain gwmark-learn: no'));

    const rules = compileIptablesNexthop(site({ gateways: [gateway(1)] }), firewall.machine);
    await assert.rejects(firewall.apply(rules, []), {
      name: 'GwmarkError',
      code: 'FIREWALL_FAILED',
      message: /gwmark-learn/,
    });

    assert.equal(firewall.needsFullRewrite, true);
    await firewall.apply(rules, []);
    assert.equal((await firewall.inspect()).state, 'intact');
    assert.match(tools.iptables.dump(), /mac-source 02:00:00:00:00:01/);
  });
});

describe('the set of unknown MACs of a device', () => {
  it('has its name if a set can', () => {
    assert.equal(iptablesSeenSet('gwmark', 'wan.7'), 'gwmark-seen-wan.7');
  });

  it('has another name, within 30 bytes, where the device’s is too long or of other characters', () => {
    for (const device of ['a23456789012345', 'eth0@if', 'ü'])
      assert.match(iptablesSeenSet('a23456789012345b', device), /^a23456789012345b-seen:[0-9a-f]{8}$/);
  });
});
