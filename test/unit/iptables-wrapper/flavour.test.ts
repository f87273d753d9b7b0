import assert from 'node:assert/strict';
import { IptablesError, type Flavour, type IptablesOptions } from 'iptables-wrapper';
import { scriptedIptables, type ScriptedAnswer } from 'iptables-wrapper/testing';

const EMPTY = '*mangle\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n';
const FOREIGN = '*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j ACCEPT\nCOMMIT\n';
const OURS = '*mangle\n:PREROUTING ACCEPT [0:0]\n:VPN-in - [0:0]\nCOMMIT\n';
const NAMES = { '/proc/net/ip_tables_names': 'mangle\n' };

/** A machine: what each flavour holds, or that it has no such program, and which one the name iptables runs. */
interface Machine {
  readonly nft?: string;
  readonly legacy?: string;
  readonly standard?: Flavour;
}

describe('the choice of a flavour', () => {
  for (const [fact, machine, flavour, reason] of [
    [
      'the one that the name iptables runs, where neither holds rules',
      { nft: EMPTY, legacy: EMPTY, standard: 'legacy' },
      'legacy',
      /it is what the name iptables runs$/u,
    ],
    [
      'the one that holds rules, whatever the name iptables runs',
      { nft: EMPTY, legacy: FOREIGN, standard: 'nft' },
      'legacy',
      /it holds rules \(IPv4 mangle\)$/u,
    ],
    [
      'the one that our chains are in, whatever else is where',
      { nft: FOREIGN, legacy: OURS, standard: 'nft' },
      'legacy',
      /it holds our chains \(IPv4 mangle VPN-in\); the other flavour holds IPv4 mangle/u,
    ],
    ['the only one that works', { nft: EMPTY, standard: 'nft' }, 'nft', /./u],
  ] as const) {
    it(`is ${fact}`, async () => {
      const reasons: string[] = [];

      const iptables = await open(machine, { onChoice: (text) => reasons.push(text) });

      assert.equal(iptables.flavour, flavour);
      assert.match(reasons.join('|'), reason);
    });
  }

  it('is refused with EMIXED where both hold rules, and says where', async () => {
    const error = await refusal(open({ nft: FOREIGN, legacy: FOREIGN, standard: 'nft' }));

    assert.equal(error.code, 'EMIXED');
    assert.match(
      error.message,
      /both flavours of iptables hold rules: nft \(IPv4 mangle\) and legacy \(IPv4 mangle\); name the flavour to use/u,
    );
  });

  it('is refused with EMIXED where our chains are in both', async () => {
    const error = await refusal(open({ nft: OURS, legacy: OURS, standard: 'nft' }));

    assert.equal(error.code, 'EMIXED');
    assert.match(error.message, /hold our chains/u);
  });

  it('is the one that was asked for, whatever the other holds, and says so', async () => {
    const reasons: string[] = [];

    const iptables = await open(
      { nft: FOREIGN, legacy: FOREIGN, standard: 'nft' },
      { flavour: 'legacy', onChoice: (text) => reasons.push(text) },
    );

    assert.equal(iptables.flavour, 'legacy');
    assert.deepEqual(reasons, [
      'iptables 1.8.9, flavour legacy: it was asked for; the other flavour holds IPv4 mangle, and packets pass both',
    ]);
  });

  it('takes an iptables before 1.8, which knows no flavours, for legacy', async () => {
    const iptables = await scriptedIptables({ prefix: 'VPN-', families: [4] }, ({ program, args }) => {
      if (program === 'iptables') return { stdout: 'iptables v1.6.1\n' };
      if (program === 'iptables-save') return args.length === 0 ? {} : { stdout: EMPTY };
      return 'missing';
    });

    assert.deepEqual([iptables.flavour, iptables.version], ['legacy', '1.6.1']);
  });

  it('is refused with UNAVAILABLE where there is no program, and says so of each flavour', async () => {
    const error = await refusal(open({}));

    assert.equal(error.code, 'UNAVAILABLE');
    assert.equal(
      error.message,
      'no iptables can be used (nft: there is no program iptables-nft; legacy: there is no program iptables-legacy)',
    );
  });

  it('names the flavour that is there when the other was asked for', async () => {
    const error = await refusal(open({ nft: EMPTY, standard: 'nft' }, { flavour: 'legacy' }));

    assert.equal(error.code, 'UNAVAILABLE');
    assert.equal(error.message, 'there is no program iptables-legacy, and iptables is of the flavour nft');
  });

  it('is refused with UNAVAILABLE and the reason on a kernel without ip_tables', async () => {
    const stderr =
      'iptables-save v1.8.11 (legacy): Cannot initialize: Table does not exist (do you need to insmod?)\n';
    const error = await refusal(
      scriptedIptables({ prefix: 'VPN-', families: [4] }, ({ program, args }) => {
        if (args[0] === '-V')
          return /^iptables(?:-legacy)?$/u.test(program) ? { stdout: 'iptables v1.8.11 (legacy)\n' } : 'missing';
        return { exitCode: 1, stderr };
      }),
    );

    assert.equal(error.code, 'UNAVAILABLE');
    assert.equal(
      error.message,
      'iptables-legacy-save: Cannot initialize: Table does not exist (do you need to insmod?)',
    );
    assert.equal(error.detail, stderr);
  });

  it('does not make a table of iptables-legacy only to look', async () => {
    const calls: string[] = [];
    await scriptedIptables({ prefix: 'VPN-', families: [4] }, ({ program, args }) => {
      calls.push([program, ...args].join(' '));
      return answerOf({ nft: EMPTY, legacy: EMPTY, standard: 'nft' })({ program, args, input: '' });
    });

    assert.deepEqual(
      calls.filter((call) => call.startsWith('iptables-legacy') && !call.endsWith('-V')),
      [],
    );
  });

  for (const [fact, options] of [
    ['a prefix of a built-in chain', { prefix: 'PRE' }],
    ['a prefix of a verdict', { prefix: 'DROP' }],
    ['a prefix with a space', { prefix: 'a b' }],
    ['no prefix', { prefix: '' }],
    ['no family', { prefix: 'VPN-', families: [] }],
    ['a wait of no time', { prefix: 'VPN-', lockWaitSeconds: 0 }],
    ['a limit that is none', { prefix: 'VPN-', lockWaitSeconds: Number.NaN }],
  ] as const) {
    it(`is not begun with ${fact}`, async () => {
      assert.equal(
        (await refusal(scriptedIptables(options, answerOf({ nft: EMPTY, standard: 'nft' })))).code,
        'EINVAL',
      );
    });
  }
});

function open(machine: Machine, options: Partial<IptablesOptions> = {}): ReturnType<typeof scriptedIptables> {
  return scriptedIptables(
    { prefix: 'VPN-', families: [4], ...options },
    answerOf(machine),
    machine.legacy === undefined ? {} : NAMES,
  );
}

function answerOf({ nft, legacy, standard }: Machine): ScriptedAnswer {
  const holds = { nft, legacy };
  return ({ program, args }) => {
    const flavour = /^iptables-(nft|legacy)/u.exec(program)?.[1] ?? (program === 'iptables' ? standard : undefined);
    if ((flavour !== 'nft' && flavour !== 'legacy') || holds[flavour] === undefined) return 'missing';
    if (args[0] === '-V') return { stdout: `iptables v1.8.9 (${flavour === 'nft' ? 'nf_tables' : 'legacy'})\n` };
    return { stdout: holds[flavour] };
  };
}

async function refusal(promise: Promise<unknown>): Promise<IptablesError> {
  const failure: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(failure instanceof IptablesError, `expected an IptablesError, got ${String(failure)}`);
  return failure;
}
