import assert from 'node:assert/strict';
import type { NftObject, Statement } from 'nftables-json';
import { iptablesPathFilters, nftPathFilters } from '../../../sidecar/firewall/path-filters.js';

const PLACE = { family: 'inet', table: 'other' } as const;
const BASE: NftObject = {
  chain: { ...PLACE, name: 'pre', type: 'filter', hook: 'prerouting', prio: -290, policy: 'accept' },
};

function rule(chain: string, ...expr: readonly Statement[]): NftObject {
  return { rule: { ...PLACE, chain, expr: [...expr] } };
}

function fib(flags: readonly ('saddr' | 'daddr' | 'mark' | 'iif')[], right: boolean): Statement {
  return { match: { op: '==', left: { fib: { result: 'oif', flags } }, right } };
}

describe('nftPathFilters', () => {
  it('finds what drops where a way back is missing, and says whether it asks with the mark', () => {
    const filters = nftPathFilters(
      [
        BASE,
        rule('pre', fib(['saddr', 'mark', 'iif'], false), { drop: null }),
        rule('pre', fib(['saddr', 'iif'], false), { drop: null }),
      ],
      'gwmark',
    );

    assert.deepEqual(
      filters,
      [true, false].map((asksWithMark) => ({
        where: 'nftables chain inet other pre',
        families: [4, 6],
        hook: 'prerouting',
        priority: -290,
        asksWithMark,
      })),
    );
  });

  it('finds what accepts where there is a way back, in a chain that others jump to', () => {
    const filters = nftPathFilters(
      [BASE, rule('pre', { jump: { target: 'deep' } }), rule('deep', fib(['saddr', 'mark'], true), { accept: null })],
      'gwmark',
    );

    assert.deepEqual(
      filters.map(({ where, priority }) => [where, priority]),
      [['nftables chain inet other deep', -290]],
    );
  });

  it('knows the family that a rule is for', () => {
    const isIpv6: Statement = { match: { op: '==', left: { meta: { key: 'nfproto' } }, right: 'ipv6' } };
    assert.deepEqual(
      nftPathFilters([BASE, rule('pre', isIpv6, fib(['saddr', 'iif'], false), { drop: null })], 'gwmark')[0]?.families,
      [6],
    );
  });

  it('passes over what only counts, what asks for the destination, what no packet reaches, and our own table', () => {
    const harmless = [
      rule('pre', fib(['saddr', 'iif'], false), { counter: null }),
      rule('pre', fib(['daddr'], false), { drop: null }),
      rule('lost', fib(['saddr', 'iif'], false), { drop: null }),
    ];
    assert.deepEqual(nftPathFilters([BASE, ...harmless], 'gwmark'), []);
    assert.deepEqual(nftPathFilters([BASE, rule('pre', fib(['saddr', 'iif'], false), { drop: null })], 'other'), []);
  });
});

describe('iptablesPathFilters', () => {
  it('finds the match rpfilter, with the priority of its table', () => {
    const saved =
      '*raw\n-A PREROUTING -m rpfilter --validmark --invert -j DROP\nCOMMIT\n*mangle\n-A nixos-fw-rpfilter -m rpfilter --loose -j RETURN\n-A PREROUTING -m rpfilter --invert -j LOG\nCOMMIT\n';

    assert.deepEqual(iptablesPathFilters(saved, 6), [
      {
        where: 'ip6tables chain raw PREROUTING',
        families: [6],
        hook: 'prerouting',
        priority: -300,
        asksWithMark: true,
      },
      {
        where: 'ip6tables chain mangle nixos-fw-rpfilter',
        families: [6],
        hook: 'prerouting',
        priority: -150,
        asksWithMark: false,
      },
    ]);
  });
});
