/**
 * What the real programs do beyond the contract: refusals that only they or the kernel can make, the lock, other
 * programs' rules.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { openIptables, type Flavour, type Iptables, type IptablesErrorCode, type RuleWords } from 'iptables-wrapper';
import { ACCEPT, IN, MANGLE4, OUT, PREFIX, refusal, RETURN, rules, withoutCounters } from './contract-fixture.js';
import { clear, LOCK_FILE, saved, shell, testableFlavours } from './kernel.js';

const flavours = await testableFlavours();

/** Rules that something below us refuses. */
const REFUSED: readonly (readonly [fact: string, code: IptablesErrorCode, rule: RuleWords])[] = [
  ['an unknown option', 'EINVAL', ['--nonsense', '3', '-j', 'ACCEPT']],
  ['an unknown match', 'EOPNOTSUPP', ['-m', 'nonsense', '-j', 'ACCEPT']],
  ['an unknown target', 'ENOENT', ['-j', 'NONSENSE']],
  ['a MAC address that is none', 'EINVAL', ['-m', 'mac', '--mac-source', 'zz', '-j', 'ACCEPT']],
  ['an address that is none', 'EINVAL', ['-s', '999.1.1.1', '-j', 'ACCEPT']],
  ['a target of another table, which the kernel refuses', 'EINVAL', ['-j', 'MASQUERADE']],
];

for (const flavour of flavours) {
  describe(`the programs of the flavour ${flavour}`, () => {
    let iptables: Iptables;

    beforeEach(async () => {
      clear(flavour);
      iptables = await openIptables({ prefix: PREFIX, flavour, lockFile: LOCK_FILE });
    });

    afterEach(async () => {
      await iptables[Symbol.asyncDispose]();
      clear(flavour);
    });

    for (const [fact, code, rule] of REFUSED) {
      it(`refuse ${fact} with ${code}; the error names the rule, and nothing is changed`, async () => {
        await iptables.run([
          { create: { ...IN, rules: [RETURN] } },
          { jump: { ...MANGLE4, chain: 'PREROUTING', target: 'VPN-in', at: 'first' } },
        ]);
        const before = withoutCounters(await iptables.list(MANGLE4));

        const error = await refusal(
          iptables.run([
            { create: { ...OUT, rules: [ACCEPT] } },
            { replace: { ...IN, rules: [ACCEPT, RETURN, rule, ACCEPT] } },
          ]),
        );

        assert.equal(error.code, code, error.message);
        assert.equal(error.index, 1);
        assert.equal(error.text, `-A VPN-in ${rule.join(' ')}`);
        // *mangle, -N, -A, :VPN-in, two rules before it.
        assert.equal(error.line, 7);
        assert.deepEqual(withoutCounters(await iptables.list(MANGLE4)), before);
      });
    }

    it('refuse a rule in a place where the kernel does not take it, and nothing is changed', async () => {
      await iptables.run([
        { create: { ...IN, rules: [] } },
        { jump: { ...MANGLE4, chain: 'PREROUTING', target: 'VPN-in', at: 'first' } },
      ]);
      const before = withoutCounters(await iptables.list(MANGLE4));

      const error = await refusal(
        iptables.run([{ append: { ...IN, rule: ['-m', 'owner', '--uid-owner', '0', '-j', 'ACCEPT'] } }]),
      );

      assert.equal(error.code, 'EINVAL', error.message);
      assert.deepEqual(withoutCounters(await iptables.list(MANGLE4)), before);
    });

    it('tell in check what they would refuse, without asking the kernel', async () => {
      const [, [, code, rule] = []] = REFUSED;

      const error = await refusal(iptables.check([{ create: { ...IN, rules: rule ? [rule] : [] } }]));

      assert.equal(error.code, code);
      assert.equal(await rules(iptables, 'VPN-in'), undefined);
    });

    it('read a whole transaction of thousands of rules from a pipe', async () => {
      const many = Array.from({ length: 3000 }, (_, index) => [
        '-s',
        `10.${index >> 8}.${index & 255}.1/32`,
        '-j',
        'RETURN',
      ]);

      await iptables.run([{ create: { ...IN, rules: many } }]);

      assert.deepEqual(await rules(iptables, 'VPN-in'), many);
    });

    it('name the rule of a large transaction that they stop reading at', async () => {
      const many = Array.from({ length: 20_000 }, () => RETURN);

      const error = await refusal(iptables.run([{ create: { ...IN, rules: [['--nonsense'], ...many] } }]));

      assert.equal(error.text, '-A VPN-in --nonsense');
    });

    it('show another program either all old or all new rules of a chain that is replaced', async () => {
      const versions = [1, 2].map((mark) =>
        Array.from({ length: 20 }, (_, index) => ['-i', `lan${index}`, '-j', 'MARK', '--set-xmark', `0x${mark}/0xff`]),
      );
      const [first = [], second = []] = versions;
      await iptables.run([{ create: { ...IN, rules: first } }]);
      await using other = await openIptables({ prefix: PREFIX, flavour, lockFile: LOCK_FILE });
      const seen = new Set<string>();

      for (let time = 0; time < 12; time += 1) {
        const replaced = iptables.run([{ replace: { ...IN, rules: time % 2 === 0 ? second : first } }]);
        for (let look = 0; look < 4; look += 1) seen.add(JSON.stringify(await rules(other, 'VPN-in')));
        await replaced;
      }

      const whole = new Set(versions.map((version) => JSON.stringify(version)));
      assert.deepEqual(
        [...seen].filter((text) => !whole.has(text)),
        [],
      );
      assert.equal(seen.size, 2);
    });

    it('leave what others have written as it was, in words and counters', async () => {
      shell(flavour, MANGLE4, '-N', 'OTHER');
      shell(flavour, MANGLE4, '-A', 'OTHER', '-m', 'comment', '--comment', 'a "quoted" \\ text', '-j', 'RETURN');
      shell(
        flavour,
        MANGLE4,
        '-A',
        'PREROUTING',
        '-c',
        '7',
        '588',
        '!',
        '-i',
        'lan0',
        '-m',
        'limit',
        '--limit',
        '5/sec',
        '-j',
        'OTHER',
      );
      shell(flavour, MANGLE4, '-P', 'FORWARD', 'DROP');
      const before = foreignLines(flavour);

      await iptables.run([
        { create: { ...IN, rules: [RETURN] } },
        { jump: { ...MANGLE4, chain: 'PREROUTING', target: 'VPN-in', at: 'first' } },
        { jump: { ...MANGLE4, chain: 'OTHER', target: 'VPN-in', at: 'last' } },
      ]);
      const during = foreignLines(flavour);
      await iptables.sweep();

      assert.deepEqual(
        during.filter((line) => !line.includes('VPN-')),
        before,
      );
      assert.deepEqual(foreignLines(flavour), before);
      assert.ok(
        before.some((line) => line.startsWith('[7:588] -A PREROUTING ! -i lan0')),
        before.join('\n'),
      );
    });

    it('refuse a user without rights with EPERM', () => {
      const script = `
        const { openIptables } = await import(process.argv[1]);
        await openIptables({ prefix: 'VPN-', flavour: '${flavour}' }).then(() => console.log('opened'), (error) => console.log(error.code, error.message));`;

      const { stdout } = spawnSync(
        process.execPath,
        ['--input-type=module', '--eval', script, import.meta.resolve('iptables-wrapper')],
        { uid: 65534, gid: 65534, encoding: 'utf8' },
      );

      assert.match(stdout, /^EPERM .*you must be root/u);
    });
  });
}

for (const flavour of flavours.filter((name) => name === 'legacy')) {
  describe(`the lock of the flavour ${flavour}`, () => {
    it('is waited for, and who holds it is named when that takes too long; nothing is changed', async () => {
      clear(flavour);
      await using iptables = await openIptables({ prefix: PREFIX, flavour, lockFile: LOCK_FILE, lockWaitSeconds: 1 });
      const holder = await holdLock();

      const error = await refusal(iptables.run([{ create: { ...IN, rules: [] } }]));
      await holder.release();

      assert.equal(error.code, 'ELOCKED');
      assert.match(error.message, /^IPv4 mangle: flock \(process \d+\) holds the xtables lock, waited 1 s$/u);
      assert.equal(await rules(iptables, 'VPN-in'), undefined);
      await iptables.run([{ create: { ...IN, rules: [] } }]);
      await iptables.sweep();
    });

    it('is UNAVAILABLE where its file cannot be made', async () => {
      await using iptables = await openIptables({ prefix: PREFIX, flavour, lockFile: '/absent/lock' });

      const error = await refusal(iptables.run([{ create: { ...IN, rules: [] } }]));

      assert.equal(error.code, 'UNAVAILABLE');
      assert.match(error.message, /can't open lock file \/absent\/lock/u);
    });
  });
}

/** Lines of the table that others wrote, with counters. */
function foreignLines(flavour: Flavour): string[] {
  return saved(flavour, 4, ['-c', '-t', 'mangle'])
    .split('\n')
    .filter((line) => !line.startsWith('#') && !line.includes('VPN-'));
}

/** Another program that holds the lock until it is told not to. */
async function holdLock(): Promise<{ release: () => Promise<void> }> {
  const child = spawn('flock', [LOCK_FILE, 'sh', '-c', 'echo held; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('error', reject);
  });
  return {
    release: () =>
      new Promise((resolve) => {
        child.once('close', () => {
          resolve();
        });
        child.stdin.end();
      }),
  };
}
