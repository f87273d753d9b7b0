/**
 * What a site compiles to for iptables; that it does the same as the rules of nftables is shown on the kernel, in
 * test/iptables.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';

import type { IptablesRules } from '../../../rules/index.js';
import { compileIptablesModule, compileIptablesNexthop } from '../../../rules/index.js';
import { FULL_SITE, POLICY, site, UDP } from './sample-site.js';

/**
 * The reviewed files; `UPDATE_GOLDEN=1 npm run test:unit` rewrites them, and the review is of what git shows then.
 */
const GOLDEN = new URL('../../../../test/unit/rules/golden/', import.meta.url);
const MACHINE = { families: [4, 6], hasMacSets: true } as const;

/** One rule a line, with its family, as iptables-save would print it. */
function print({ chains, sets }: IptablesRules): string {
  const lines = chains.flatMap(({ family, name, rules, from }) => [
    ...(from === null ? [] : [`IPv${family} -A ${from} -j ${name}`]),
    ...(rules ?? []).map((words) => `IPv${family} -A ${name} ${words.join(' ')}`),
  ]);
  return [...[...sets.values()].map((set) => `set ${JSON.stringify(set)}`), ...lines, ''].join('\n');
}

function assertGolden(name: string, text: string): void {
  const file = new URL(name, GOLDEN);
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, text);
  assert.equal(text, readFileSync(file, 'utf8'));
}

describe('the compiled rules of iptables', () => {
  it('of the full site are those of golden/full-site.iptables.txt', () => {
    assertGolden('full-site.iptables.txt', print(compileIptablesNexthop(FULL_SITE, MACHINE)));
  });

  it('of the full site on the module are those of golden/full-site-module.iptables.txt', () => {
    assertGolden('full-site-module.iptables.txt', print(compileIptablesModule(FULL_SITE, MACHINE)));
  });

  it('have names that fit into what chains and sets can have, for the longest table', () => {
    const policy = { ...POLICY, table: 'a'.repeat(16) };
    for (const { chains, sets } of [
      compileIptablesNexthop({ ...FULL_SITE, policy }, MACHINE),
      compileIptablesModule({ ...FULL_SITE, policy }, MACHINE),
    ]) {
      // linux/netfilter/x_tables.h XT_EXTENSION_MAXNAMELEN, with its NUL 29; ipset has 30 without the second set of
      // `replace`.
      assert.deepEqual(
        chains.filter(({ name }) => name.length > 28),
        [],
      );
      assert.deepEqual(
        [...sets.keys()].filter((name) => name.length > 30),
        [],
      );
    }
  });

  it('lead each chain to those alone that were made before it', () => {
    const known = new Set<string>();
    for (const { family, name, rules } of compileIptablesNexthop(FULL_SITE, MACHINE).chains) {
      const targets = (rules ?? []).flatMap((words) =>
        words.filter((word, at) => words[at - 1] === '-g' || (words[at - 1] === '-j' && word.startsWith('gwmark-'))),
      );
      assert.deepEqual(
        targets.filter((target) => !known.has(`${family} ${target}`)),
        [],
        name,
      );
      known.add(`${family} ${name}`);
    }
  });

  it('note no MACs where the machine has no set for them', () => {
    const text = print(compileIptablesNexthop(FULL_SITE, { ...MACHINE, hasMacSets: false }));

    assert.doesNotMatch(text, /SET|hash:mac/);
    assert.match(text, /-A gwmark-unknown -j RETURN/);
  });

  it('of an OpenVPN client learn from what its server sends, and give what it sends its router back', () => {
    const text = print(
      compileIptablesNexthop(
        site({ transports: [{ ...UDP, families: [4], port: 0, remote: { address: '203.0.113.9', port: 1194 } }] }),
        MACHINE,
      ),
    );

    assert.match(
      text,
      /^IPv4 -A gwmark-link -s 203\.0\.113\.9\/32 -p udp -m udp --sport 1194 -m addrtype --dst-type LOCAL -g gwmark-transport$/m,
    );
    assert.match(text, /^IPv4 -A gwmark-out -d 203\.0\.113\.9\/32 -p udp -m udp --dport 1194 -g gwmark-return$/m);
    assert.doesNotMatch(text, /^IPv6.*1194/m);
  });
});
