/** What becomes of messages of iptables-restore, in the words of versions and situations that are not at hand. */
import assert from 'node:assert/strict';
import { IptablesError, type Command, type IptablesErrorCode, type Iptables } from 'iptables-wrapper';
import { scriptedIptables, type ScriptedCall } from 'iptables-wrapper/testing';

const MANGLE4 = { family: 4, table: 'mangle' } as const;
const MANGLE6 = { family: 6, table: 'mangle' } as const;
const CREATE: Command = { create: { ...MANGLE4, chain: 'VPN-in', rules: [['-j', 'RETURN']] } };
const HELP = "Try `iptables-restore -h' or 'iptables-restore --help' for more information.\n";

/** Messages to a transaction of `*mangle`, `-N VPN-in`, `-A VPN-in -j RETURN`, COMMIT. */
const MESSAGES: readonly (readonly [code: IptablesErrorCode, line: number | undefined, stderr: string])[] = [
  ['EINVAL', 3, `iptables-restore v1.8.9 (legacy): unknown option "--nonsense"\nError occurred at line: 3\n${HELP}`],
  [
    'EOPNOTSUPP',
    3,
    `iptables-nft-restore v1.8.9 (nf_tables): Couldn't load match \`x':No such file or directory\n\nError occurred at line: 3\n${HELP}`,
  ],
  [
    'ENOENT',
    3,
    `iptables-restore v1.8.9 (legacy): Couldn't load target \`VPN-x':No such file or directory\n\nError occurred at line: 3\n${HELP}`,
  ],
  [
    'ENOENT',
    3,
    `iptables-nft-restore v1.8.9 (nf_tables): Chain 'VPN-x' does not exist\nError occurred at line: 3\n${HELP}`,
  ],
  ['ENOENT', 3, "ip6tables-restore v1.8.9 (legacy): Set absent doesn't exist.\n\nError occurred at line: 3\n"],
  [
    'EINVAL',
    3,
    'iptables-nft-restore v1.8.9 (nf_tables): \nline 3: RULE_APPEND failed (Invalid argument): rule in chain VPN-in\n',
  ],
  [
    'EBUSY',
    3,
    'iptables-nft-restore v1.8.9 (nf_tables): \nline 3: CHAIN_DEL failed (Device or resource busy): chain VPN-in\n',
  ],
  [
    'ELOOP',
    3,
    'iptables-nft-restore v1.8.9 (nf_tables): \nline 3: RULE_APPEND failed (Too many links): rule in chain VPN-in\n',
  ],
  [
    'EOPNOTSUPP',
    3,
    'Warning: Extension LED revision 0 not supported, missing kernel module?\niptables-nft-restore v1.8.9 (nf_tables): \nline 3: RULE_APPEND failed (No such file or directory): rule in chain VPN-in\n',
  ],
  ['EEXIST', 2, 'iptables-restore v1.8.10: line 2 failed: Chain already exists.\n'],
  ['ENOENT', 3, 'iptables-restore: line 3 failed: No chain/target/match by that name.\n'],
  // The legacy flavour up to 1.8.9 gives no reason: it follows from the line.
  ['EEXIST', 2, 'iptables-restore: line 2 failed\n'],
  ['ENOENT', 3, 'iptables-restore: line 3 failed\n'],
  [
    'ELOCKED',
    undefined,
    "Can't lock /run/xtables.lock: Resource temporarily unavailable\nAnother app is currently holding the xtables lock. Stopped waiting after 5s.\n",
  ],
  [
    'ELOCKED',
    undefined,
    'Another app is currently holding the xtables lock. Perhaps you want to use the -w option?\n',
  ],
  ['EPERM', undefined, "Fatal: can't open lock file /run/xtables.lock: Permission denied\n"],
  ['UNAVAILABLE', undefined, "Fatal: can't open lock file /run/xtables.lock: Read-only file system\n"],
  [
    'EPERM',
    undefined,
    'iptables-nft-restore v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)\n',
  ],
  [
    'UNAVAILABLE',
    undefined,
    'iptables-nft-restore v1.8.9 (nf_tables): Could not fetch rule set generation id: Invalid argument\n',
  ],
  [
    'UNAVAILABLE',
    undefined,
    "iptables-restore v1.8.9 (legacy): iptables-restore: unable to initialize table 'mangle'\n",
  ],
  ['UNKNOWN', undefined, 'something that nobody has seen\n'],
  ['UNKNOWN', undefined, ''],
];

describe('a message of iptables-restore', () => {
  for (const [code, line, stderr] of MESSAGES) {
    it(`is ${code}: ${JSON.stringify(stderr.split('\n').find((text) => text.includes(' failed') || text.includes(': ')) ?? stderr)}`, async () => {
      const iptables = await open((call) =>
        isRestore(call)
          ? { exitCode: stderr.includes('v1.8.9') && stderr.includes('Error occurred') ? 2 : 1, stderr }
          : undefined,
      );

      const error = await refusal(iptables.run([CREATE]));

      assert.equal(error.code, code, error.message);
      assert.equal(error.line, line);
      assert.equal(error.index, line === undefined ? undefined : 0);
      assert.equal(error.text, line === undefined ? undefined : ['-N VPN-in', '-A VPN-in -j RETURN'][line - 2]);
      assert.equal(error.detail, stderr);
    });
  }

  it('names command, table, line and reason', async () => {
    const iptables = await open((call) =>
      isRestore(call) ? { exitCode: 2, stderr: MESSAGES[0]?.[2] ?? '' } : undefined,
    );

    const error = await refusal(iptables.run([CREATE, { append: { ...MANGLE4, chain: 'VPN-in', rule: [] } }]));

    assert.equal(
      error.message,
      'create chain VPN-in (IPv4 mangle): -A VPN-in -j RETURN: unknown option "--nonsense" (command 1 of 2)',
    );
  });
});

describe('a transaction', () => {
  it('is one call of iptables-restore a table and family, without flushing and with a wait for the lock', async () => {
    const restores: ScriptedCall[] = [];
    const iptables = await open((call) => {
      if (isRestore(call)) restores.push(call);
      return undefined;
    });

    await iptables.run([CREATE, { jump: { ...MANGLE4, chain: 'PREROUTING', target: 'VPN-in', at: 'first' } }]);

    assert.deepEqual(restores, [
      {
        program: 'iptables-legacy-restore',
        args: ['--noflush', '-w', '5'],
        input: '*mangle\n-N VPN-in\n-A VPN-in -j RETURN\n-I PREROUTING -j VPN-in\nCOMMIT\n',
      },
    ]);
  });

  it('is rewritten when another program has removed the jump that it was about to move', async () => {
    const saves = ['-A PREROUTING -j VPN-in\n-A PREROUTING -j ACCEPT\n', '-A PREROUTING -j ACCEPT\n'].map(
      (rules) => `*mangle\n:PREROUTING ACCEPT [0:0]\n:VPN-in - [0:0]\n${rules}COMMIT\n`,
    );
    const inputs: string[] = [];
    let isChanged = false;
    const iptables = await open((call) => {
      if (!isRestore(call)) return { stdout: saves[isChanged ? 1 : 0] ?? '' };
      inputs.push(call.input);
      isChanged = true;
      return inputs.length === 1 ? { exitCode: 1, stderr: 'iptables-restore: line 2 failed\n' } : undefined;
    });

    await iptables.run([{ jump: { ...MANGLE4, chain: 'PREROUTING', target: 'VPN-in', at: 'last' } }]);

    assert.deepEqual(inputs, [
      '*mangle\n-D PREROUTING -j VPN-in\n-A PREROUTING -j VPN-in\nCOMMIT\n',
      '*mangle\n-A PREROUTING -j VPN-in\nCOMMIT\n',
    ]);
  });

  it('gives up when the table never stands still', async () => {
    let time = 0;
    const iptables = await open((call) => {
      time += 1;
      if (isRestore(call)) return { exitCode: 1, stderr: 'iptables-restore: line 2 failed\n' };
      return {
        stdout: `*mangle\n:PREROUTING ACCEPT [0:0]\n:VPN-in - [0:0]\n-A PREROUTING -i eth${time} -j VPN-in\nCOMMIT\n`,
      };
    });

    const error = await refusal(
      iptables.run([{ jump: { ...MANGLE4, chain: 'PREROUTING', target: 'VPN-in', at: 'last' } }]),
    );

    assert.equal(error.code, 'ENOENT');
    assert.ok(time < 20, `${time} calls`);
  });

  it('tells what was applied when a later table is refused', async () => {
    const iptables = await open((call) =>
      call.program === 'ip6tables-legacy-restore' && !call.args.includes('--test')
        ? { exitCode: 4, stderr: 'Another app is currently holding the xtables lock.\n' }
        : undefined,
    );

    const error = await refusal(iptables.run([CREATE, { create: { ...MANGLE6, chain: 'VPN-in', rules: [] } }]));

    assert.deepEqual([error.code, error.part, error.applied], ['ELOCKED', MANGLE6, [MANGLE4]]);
    assert.match(error.message, /applied before that: IPv4 mangle$/u);
  });
});

/** A machine with iptables-legacy 1.8.9 and empty tables; `answer` may answer anything else. */
function open(
  answer: (call: ScriptedCall) => { exitCode?: number; stdout?: string; stderr?: string } | undefined,
): Promise<Iptables> {
  return scriptedIptables({ prefix: 'VPN-', flavour: 'legacy' }, (call) => {
    if (call.args[0] === '-V') return { stdout: 'iptables v1.8.9 (legacy)\n' };
    return answer(call) ?? { stdout: '' };
  });
}

function isRestore({ program }: ScriptedCall): boolean {
  return program.endsWith('-restore');
}

async function refusal(promise: Promise<unknown>): Promise<IptablesError> {
  const failure: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(failure instanceof IptablesError, `expected an IptablesError, got ${String(failure)}`);
  return failure;
}
