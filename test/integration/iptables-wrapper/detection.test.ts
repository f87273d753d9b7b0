/** Which flavour is taken on a real machine, by what its tables hold. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { inspectIptables, openIptables } from 'iptables-wrapper';
import { IN, MANGLE4, PREFIX, refusal } from './contract-fixture.js';
import { clear, LOCK_FILE, shell, testableFlavours } from './kernel.js';

const flavours = await testableFlavours();
const options = { prefix: PREFIX, lockFile: LOCK_FILE } as const;

describe('the flavour that is taken by itself', () => {
  beforeEach(clearAll);
  afterEach(clearAll);

  for (const flavour of flavours) {
    it(`is ${flavour} where only that one holds rules`, async () => {
      shell(flavour, MANGLE4, '-A', 'PREROUTING', '-j', 'ACCEPT');
      const reasons: string[] = [];

      await using iptables = await openIptables({ ...options, onChoice: (reason) => reasons.push(reason) });

      assert.equal(iptables.flavour, flavour);
      assert.match(
        reasons.join('|'),
        new RegExp(`^iptables [\\d.]+, flavour ${flavour}: it holds rules \\(IPv4 mangle\\)$`, 'u'),
      );
    });
  }

  it('is what the name iptables runs where nothing holds rules', async () => {
    const printed = execFileSync('iptables', ['-V'], { encoding: 'utf8' });

    await using iptables = await openIptables(options);

    assert.equal(iptables.flavour, printed.includes('(nf_tables)') ? 'nft' : 'legacy');
    assert.ok(printed.includes(`v${iptables.version} `));
  });

  if (flavours.length === 2) {
    it('is none where both hold rules', async () => {
      for (const flavour of flavours) shell(flavour, MANGLE4, '-A', 'PREROUTING', '-j', 'ACCEPT');

      const error = await refusal(openIptables(options));

      assert.equal(error.code, 'EMIXED');
      assert.match(error.message, /nft \(IPv4 mangle\) and legacy \(IPv4 mangle\)/u);
    });

    it('stays the one that our chains are in when the other gets rules', async () => {
      await using before = await openIptables({ ...options, flavour: 'legacy' });
      await before.run([{ create: { ...IN, rules: [] } }]);
      shell('nft', MANGLE4, '-A', 'PREROUTING', '-j', 'ACCEPT');

      await using iptables = await openIptables(options);

      assert.equal(iptables.flavour, 'legacy');
    });
  }

  it('is refused with EMIXED where rules of nft have made the table unreadable', async () => {
    execFileSync('nft', ['-f', '-'], {
      input:
        'table ip mangle { chain PREROUTING { type filter hook prerouting priority mangle; ct state vmap { new : accept }; }; }\n',
    });
    try {
      const error = await refusal(openIptables({ ...options, flavour: 'nft' }));

      assert.equal(error.code, 'EMIXED');
      assert.match(error.message, /^table mangle holds rules that only nft can read/u);
    } finally {
      execFileSync('nft', ['delete', 'table', 'ip', 'mangle']);
    }
  });

  it('is refused with UNAVAILABLE where no program is installed', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = '/absent';
    try {
      const error = await refusal(openIptables(options));

      assert.equal(error.code, 'UNAVAILABLE');
      assert.match(error.message, /there is no program iptables-nft.*there is no program iptables-legacy/u);
    } finally {
      process.env['PATH'] = path;
    }
  });
});

describe('a look at the flavours', () => {
  it('tells what is where, and makes no table', async () => {
    clearAll();
    const before = legacyTables();

    const reports = await inspectIptables({ prefix: PREFIX });

    assert.deepEqual(
      reports.filter(({ isUsable }) => isUsable).map(({ flavour }) => flavour),
      flavours,
    );
    assert.deepEqual(legacyTables(), before);
  });
});

function clearAll(): void {
  for (const flavour of flavours) clear(flavour);
}

function legacyTables(): string {
  try {
    return readFileSync('/proc/net/ip_tables_names', 'utf8');
  } catch {
    return '';
  }
}
