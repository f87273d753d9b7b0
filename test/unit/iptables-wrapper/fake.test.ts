/** What the fakes give to tests beside the contract that they share with the kernel. */
import assert from 'node:assert/strict';
import { FakeIpset, FakeIptables } from 'iptables-wrapper/testing';

const MANGLE4 = { family: 4, table: 'mangle' } as const;
const IN = { ...MANGLE4, chain: 'VPN-in' } as const;

describe('the fake of iptables', () => {
  it('prints what it holds in the format of iptables-save', async () => {
    const iptables = new FakeIptables({ prefix: 'VPN-' });
    iptables.inject([{ append: { ...MANGLE4, chain: 'PREROUTING', rule: ['-j', 'ACCEPT'] } }]);

    await iptables.run([
      { create: { ...IN, rules: [['-m', 'comment', '--comment', 'a b']] } },
      { jump: { ...MANGLE4, chain: 'PREROUTING', target: 'VPN-in', at: 'first' } },
    ]);

    assert.equal(
      iptables.dump(),
      [
        '# IPv4',
        '*mangle',
        ':PREROUTING ACCEPT',
        ':INPUT ACCEPT',
        ':FORWARD ACCEPT',
        ':OUTPUT ACCEPT',
        ':POSTROUTING ACCEPT',
        ':VPN-in -',
        '-A PREROUTING -j VPN-in',
        '-A PREROUTING -j ACCEPT',
        '-A VPN-in -m comment --comment "a b"',
        'COMMIT',
        '',
      ].join('\n'),
    );
  });

  it('keeps the transactions that were applied, not those of others and not the refused ones', async () => {
    const iptables = new FakeIptables({ prefix: 'VPN-' });
    const commands = [{ create: { ...IN, rules: [] } }];
    iptables.inject([{ create: { ...MANGLE4, chain: 'OTHER', rules: [] } }]);

    await iptables.run(commands);
    await assert.rejects(iptables.run(commands));

    assert.deepEqual(iptables.transactions, [commands]);
  });

  it('fails the next calls as it is told, and then works', async () => {
    const iptables = new FakeIptables({ prefix: 'VPN-' });
    iptables.failNext(new Error('first'), new Error('second'));

    await assert.rejects(iptables.run([{ create: { ...IN, rules: [] } }]), /first/u);
    await assert.rejects(iptables.list(MANGLE4), /second/u);
    await iptables.run([{ create: { ...IN, rules: [] } }]);

    assert.equal(iptables.transactions.length, 1);
  });

  it('does not let a caller change what it holds through a listing', async () => {
    const iptables = new FakeIptables({ prefix: 'VPN-' });
    await iptables.run([{ create: { ...IN, rules: [['-j', 'ACCEPT']] } }]);
    const before = iptables.dump();
    const [rule] = (await iptables.list(MANGLE4)).chains.at(-1)?.rules ?? [];

    Reflect.set(rule?.words ?? [], 1, 'DROP');
    await iptables.run([{ append: { ...IN, rule: [] } }]);

    assert.equal(iptables.dump(), before.replace('-j ACCEPT\n', '-j ACCEPT\n-A VPN-in\n'));
  });
});

describe('the fake of ipset', () => {
  it('fails the next calls as it is told, and then works', async () => {
    const ipset = new FakeIpset();
    ipset.failNext(new Error('planned'));

    await assert.rejects(ipset.run([{ create: { name: 'a', type: 'hash:ip' } }]), /planned/u);
    await ipset.run([{ create: { name: 'a', type: 'hash:ip' } }]);

    assert.equal(ipset.has('a'), true);
  });
});
