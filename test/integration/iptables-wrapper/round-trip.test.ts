/** The parser and printer against what iptables-save really prints: random rules go into the kernel and come out. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import * as fc from 'fast-check';
import { parseSave, printSave, type Family, type Flavour, type SaveLine } from 'iptables-wrapper';
import { clear, environment, program, saved, testableFlavours } from './kernel.js';

for (const flavour of await testableFlavours()) {
  describe(`what iptables-save of the flavour ${flavour} prints`, () => {
    before(() => {
      clear(flavour);
      execFileSync('ipset', ['restore'], {
        input: 'create clients4 hash:net family inet\ncreate clients6 hash:net family inet6\n',
      });
    });

    after(() => {
      clear(flavour);
    });

    for (const family of [4, 6] as const) {
      it(`is parsed and printed byte for byte, and is the same once restored, for IPv${family}`, function test() {
        this.timeout(120_000);
        fc.assert(
          fc.property(
            fc.array(rule(family), { minLength: 1, maxLength: 12 }),
            fc.array(policy(), { minLength: 3, maxLength: 3 }),
            (rules, policies) => {
              restore(flavour, family, printSave(tableOf(rules, policies)));

              const first = saved(flavour, family, ['-c', '-t', 'mangle']);
              const printed = printSave(parseSave(first));
              assert.equal(printed, first);
              assert.equal(parseSave(first).filter(({ kind }) => kind === 'rule').length, rules.length);

              restore(flavour, family, printed);
              assert.deepEqual(
                withoutComments(saved(flavour, family, ['-c', '-t', 'mangle'])),
                withoutComments(first),
              );
            },
          ),
          { numRuns: 20 },
        );
      });
    }

    it('is parsed and printed byte for byte where a rule cannot be restored: a comment of two lines', () => {
      execFileSync(
        program(flavour, 4),
        ['-w', '5', '-t', 'mangle', '-A', 'OUTPUT', '-m', 'comment', '--comment', 'one\ntwo "2"', '-j', 'ACCEPT'],
        { env: environment() },
      );

      const text = saved(flavour, 4);

      assert.equal(printSave(parseSave(text)), text);
      assert.ok(parseSave(text).some((line) => line.kind === 'rule' && line.words.includes('one\ntwo "2"')));
      clear(flavour);
    });
  });
}

/** With counters, as `iptables-restore -c` takes them. */
function restore(flavour: Flavour, family: Family, input: string): void {
  const { status, stderr } = spawnSync(program(flavour, family, 'restore'), ['-c', '-w', '5'], {
    input,
    env: environment(),
    encoding: 'utf8',
  });
  assert.equal(status, 0, `${stderr}\n${input}`);
}

/** The comments have the time. */
function withoutComments(text: string): SaveLine[] {
  return parseSave(text).filter(({ kind }) => kind !== 'comment');
}

function tableOf(
  rules: readonly { chain: string; words: readonly string[]; packets: bigint; bytes: bigint }[],
  policies: readonly string[],
): SaveLine[] {
  const builtIn = ['PREROUTING', 'FORWARD', 'OUTPUT'].map((name, at): SaveLine => ({
    kind: 'chain',
    name,
    policy: policies[at] ?? 'ACCEPT',
    counters: { packets: 1n, bytes: 40n },
  }));
  const made = ['VPN-in', 'z.chain+1', 'other-chain'].map((name): SaveLine => ({ kind: 'chain', name, policy: null }));
  const lines = rules.map(({ chain, words, packets, bytes }): SaveLine => ({
    kind: 'rule',
    chain,
    words,
    counters: { packets, bytes },
  }));
  return [{ kind: 'table', name: 'mangle' }, ...builtIn, ...made, ...lines, { kind: 'commit' }];
}

function policy(): fc.Arbitrary<string> {
  return fc.constantFrom('ACCEPT', 'DROP');
}

/** A rule that both flavours take: matches in any number, then a target or none. */
function rule(family: Family): fc.Arbitrary<{ chain: string; words: string[]; packets: bigint; bytes: bigint }> {
  const count = fc.bigInt({ min: 0n, max: 2n ** 63n });
  return fc
    .tuple(fc.constantFrom('FORWARD', 'VPN-in', 'z.chain+1'), fc.subarray(matches(family)), target(), count, count)
    .chain(([chain, parts, end, packets, bytes]) =>
      fc.tuple(...parts).map((words) => ({ chain, words: [...words.flat(), ...end], packets, bytes })),
    );
}

function matches(family: Family): fc.Arbitrary<string[]>[] {
  return [
    maybeNot(fc.constantFrom('lan0', 'tun+', 'br-lan.7').map((device) => ['-i', device])),
    maybeNot(fc.constantFrom('eth0', 'w+').map((device) => ['-o', device])),
    maybeNot(network(family).map((value) => ['-s', value])),
    maybeNot(network(family).map((value) => ['-d', value])),
    fc.constantFrom(
      ['-p', 'udp', '-m', 'udp', '--dport', '1194'],
      ['-p', 'tcp', '-m', 'tcp', '!', '--sport', '22:80'],
      ['-p', 'tcp', '-m', 'multiport', '--dports', '1,2:9,443'],
      ['!', '-p', 'esp'],
    ),
    freeText(60).map((comment) => ['-m', 'comment', '--comment', comment]),
    fc.tuple(word32(), word32()).map(([value, mask]) => ['-m', 'mark', '--mark', `${value & mask}/${mask}`]),
    fc.tuple(word32(), word32()).map(([value, mask]) => ['-m', 'connmark', '!', '--mark', `${value & mask}/${mask}`]),
    fc.constantFrom(
      ['-m', 'conntrack', '--ctstate', 'NEW,ESTABLISHED'],
      ['-m', 'conntrack', '!', '--ctstate', 'INVALID', '--ctdir', 'REPLY'],
      ['-m', 'conntrack', '--ctdir', 'ORIGINAL'],
    ),
    maybeNot(fc.constantFrom('02:00:00:00:00:01', 'aa:bb:cc:dd:ee:ff').map((mac) => ['--mac-source', mac])).map(
      (words) => ['-m', 'mac', ...words],
    ),
    maybeNot(fc.constantFrom('0:1500', '77').map((length) => ['--length', length])).map((words) => [
      '-m',
      'length',
      ...words,
    ]),
    fc.constantFrom(
      ['-m', 'addrtype', '--dst-type', 'LOCAL'],
      ['-m', 'limit', '--limit', '5/sec', '--limit-burst', '7'],
      ['-m', 'statistic', '--mode', 'random', '--probability', '0.25'],
    ),
    freeText(40)
      .filter((pattern) => pattern !== '' && /^[\x20-\x7e]*$/u.test(pattern))
      .map((pattern) => ['-m', 'string', '--string', pattern, '--algo', 'bm']),
    maybeNot(fc.constant(['--match-set', `clients${family}`, 'dst'])).map((words) => ['-m', 'set', ...words]),
  ];
}

function target(): fc.Arbitrary<string[]> {
  return fc.oneof(
    fc.constant<string[]>([]),
    fc.constantFrom('ACCEPT', 'RETURN', 'DROP').map((verdict) => ['-j', verdict]),
    fc.tuple(word32(), word32()).map(([value, mask]) => ['-j', 'MARK', '--set-xmark', `${value}/${mask}`]),
    fc
      .tuple(word32(), word32())
      .map(([nfmask, ctmask]) => [
        '-j',
        'CONNMARK',
        '--restore-mark',
        '--nfmask',
        String(nfmask),
        '--ctmask',
        String(ctmask),
      ]),
    freeText(20)
      .filter((prefix) => prefix !== '')
      .map((prefix) => ['-j', 'NFLOG', '--nflog-prefix', prefix, '--nflog-group', '7']),
    fc.constantFrom('-j', '-g').map((option) => [option, 'other-chain']),
    fc.constant<string[]>(['-j', 'TOS', '--set-tos', '0x10/0x3f']),
  );
}

function maybeNot(words: fc.Arbitrary<string[]>): fc.Arbitrary<string[]> {
  return fc.tuple(fc.boolean(), words).map(([isNot, match]) => (isNot ? ['!', ...match] : match));
}

function network(family: Family): fc.Arbitrary<string> {
  return family === 4
    ? fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 32 })).map(([address, length]) => `${address}/${length}`)
    : fc.tuple(fc.ipV6(), fc.integer({ min: 1, max: 128 })).map(([address, length]) => `${address}/${length}`);
}

/** Any text of one line that iptables-restore can read, whatever must be quoted in it. */
function freeText(maxLength: number): fc.Arbitrary<string> {
  const char = fc.oneof(
    fc.constantFrom('"', '\\', "'", ' ', '-', '!', '#', '[', ':', '*', 'a', 'ü', '日'),
    fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 1 }),
  );
  return fc
    .array(char, { maxLength })
    .map((chars) => Buffer.from(chars.join('')).subarray(0, maxLength).toString().replaceAll('\ufffd', ''));
}

function word32(): fc.Arbitrary<number> {
  return fc.oneof(fc.constantFrom(0, 1, 0xff, 0xff00, 0x7fff_ffff), fc.integer({ min: 0, max: 0x7fff_ffff }));
}
