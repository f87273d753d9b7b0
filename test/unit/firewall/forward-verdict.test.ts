import assert from 'node:assert/strict';
import type { NftObject, Statement } from 'nftables-json';
import { refusalOf } from '../../../sidecar/firewall/forward-verdict.js';

const PLACE = { family: 'inet', table: 'fw' } as const;
const BASE: NftObject = {
  chain: { ...PLACE, name: 'forward', type: 'filter', hook: 'forward', prio: 0, policy: 'accept' },
};
const REJECT: Statement = { reject: { type: 'icmpx', expr: 'admin-prohibited' } };
const ACCEPT: Statement = { accept: null };
const PACKET = { family: 4, from: 'lan0', to: 'tun0' } as const;

function rule(chain: string, ...expr: readonly Statement[]): NftObject {
  return { rule: { ...PLACE, chain, expr: [...expr] } };
}

function is(key: 'iifname' | 'oifname', right: string, op: '==' | '!=' = '=='): Statement {
  return { match: { op, left: { meta: { key } }, right } };
}

const ESTABLISHED: Statement = {
  match: { op: 'in', left: { ct: { key: 'state' } }, right: ['established', 'related'] },
};

describe('refusalOf', () => {
  it('names the last rule of a chain that rejects what no other took', () => {
    const objects = [
      BASE,
      rule('forward', ESTABLISHED, ACCEPT),
      rule('forward', is('iifname', 'tun*'), ACCEPT),
      rule('forward', REJECT),
    ];

    assert.deepEqual(refusalOf(objects, PACKET), {
      where: 'nftables chain inet fw forward',
      verdict: 'reject',
      mayBeAccepted: false,
    });
    assert.equal(refusalOf(objects, { ...PACKET, from: 'tun0', to: 'lan0' }), null);
  });

  it('follows jumps, and comes back from a goto to where the last jump was', () => {
    const objects = [
      BASE,
      rule('forward', { jump: { target: 'zones' } }),
      rule('forward', { drop: null }),
      rule('zones', is('iifname', 'lan0'), { goto: { target: 'zone' } }),
      rule('zones', ACCEPT),
      rule('zone', is('oifname', 'wan0'), REJECT),
    ];

    assert.deepEqual(refusalOf(objects, PACKET), {
      where: 'nftables chain inet fw forward',
      verdict: 'drop',
      mayBeAccepted: false,
    });
    assert.equal(refusalOf(objects, { ...PACKET, to: 'wan0' })?.where, 'nftables chain inet fw zone');
    assert.equal(refusalOf(objects, { ...PACKET, from: 'lan1' }), null);
  });

  it('takes for possible what devices do not tell', () => {
    const port: Statement = {
      match: { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right: 443 },
    };
    assert.equal(
      refusalOf([BASE, rule('forward', port, ACCEPT), rule('forward', REJECT)], PACKET)?.mayBeAccepted,
      true,
    );
    assert.equal(refusalOf([BASE, rule('forward', port, REJECT)], PACKET), null);
  });

  it('looks devices up in a verdict map, and knows the other family’s rules', () => {
    const byDevice: Statement = {
      vmap: { key: { meta: { key: 'iifname' } }, data: { set: [['lan0', { jump: { target: 'lan' } }]] } },
    };
    const ofIpv6: Statement = {
      match: { op: '==', left: { payload: { protocol: 'ip6', field: 'daddr' } }, right: '2001:db8::1' },
    };
    const objects = [BASE, rule('forward', ofIpv6, ACCEPT), rule('forward', byDevice), rule('lan', REJECT)];

    assert.deepEqual(refusalOf(objects, PACKET), {
      where: 'nftables chain inet fw lan',
      verdict: 'reject',
      mayBeAccepted: false,
    });
    assert.equal(refusalOf(objects, { ...PACKET, family: 6 })?.mayBeAccepted, true);
    assert.equal(refusalOf(objects, { ...PACKET, from: 'wan0' }), null);
  });

  it('comes to an end in a ring of jumps', () => {
    assert.equal(
      refusalOf([BASE, rule('forward', { jump: { target: 'a' } }), rule('a', { jump: { target: 'a' } })], PACKET),
      null,
    );
  });
});
