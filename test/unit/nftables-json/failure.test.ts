import assert from 'node:assert/strict';
import { isAlreadyExists, isNotFound, NftError, type Command, type NftErrorCode } from 'nftables-json';
import { scriptedNftables, type ScriptedInput } from 'nftables-json/testing';

const IN = { family: 'inet', table: 't' } as const;
const ENOENT = 'internal:0:0-0: Error: Could not process rule: No such file or directory\n';

describe('the code of a refusal', () => {
  const messages: readonly (readonly [text: string, code: NftErrorCode])[] = [
    ['internal:0:0-0: Error: Could not process rule: No such file or directory', 'ENOENT'],
    ['internal:0:0-0: Error: No such file or directory; did you mean set ‘ifs’ in table inet ‘t’?', 'ENOENT'],
    ['internal:0:0-0: Error: Could not process rule: File exists', 'EEXIST'],
    ['internal:0:0-0: Error: interval overlaps with an existing one', 'EEXIST'],
    ['internal:0:0-0: Error: Could not process rule: Device or resource busy', 'EBUSY'],
    ['cache initialization failed: Operation not permitted', 'EPERM'],
    ['internal:0:0-0: Error: Could not process rule: Invalid argument', 'EINVAL'],
    ['internal:0:0-0: Error: Could not process rule: Operation not supported', 'EOPNOTSUPP'],
    ['internal:0:0-0: Error: Could not process rule: No space left on device', 'ENOSPC'],
    ['internal:0:0-0: Error: Could not process rule: Too many open files in system', 'ENFILE'],
    ['internal:0:0-0: Error: Could not process rule: Too many levels of symbolic links', 'ELOOP'],
    ['internal:0:0-0: Error: Could not process rule: Cannot allocate memory', 'ENOMEM'],
    [
      "internal:0:0-0: Error: Invalid datatype 'nope'.\n\ninternal:0:0-0: Error: Parsing command array at index 0 failed.",
      'SYNTAX',
    ],
    ['', 'UNKNOWN'],
  ];

  for (const [text, code] of messages) {
    it(`is ${code} for ${JSON.stringify(text.split('\n')[0])}`, async () => {
      const nftables = scriptedNftables(() => ({ ok: false, errors: text === '' ? '' : `${text}\n` }));

      const error = await refusal(nftables.run([{ add: { table: { family: 'inet', name: 't' } } }]));

      assert.equal(error.code, code);
      assert.equal(error.detail.trim(), text.trim());
      assert.equal(isNotFound(error), code === 'ENOENT');
      assert.equal(isAlreadyExists(error), code === 'EEXIST');
    });
  }
});

describe('the command that a transaction failed at', () => {
  for (const total of [1, 2, 3, 7, 64]) {
    it(`is found at every place among ${total}, in a logarithmic number of tries`, async () => {
      for (let culprit = 0; culprit < total; culprit++) {
        let tries = 0;
        const nftables = scriptedNftables((input, { check }) => {
          tries += check ? 1 : 0;
          return {
            ok: !input.nftables.some((command) => JSON.stringify(command).includes('"culprit"')),
            errors: ENOENT,
          };
        });

        const error = await refusal(nftables.run(chains(total, culprit)));

        assert.deepEqual([error.index, error.code], [culprit, 'ENOENT']);
        assert.ok(tries <= Math.ceil(Math.log2(total)) + 1, `${tries} tries for ${total}`);
      }
    });
  }

  it('is left open when the transaction is accepted on trial', async () => {
    const nftables = scriptedNftables((_input, { check }) => ({ ok: check, errors: ENOENT }));

    const error = await refusal(nftables.run(chains(3, 1)));

    assert.deepEqual([error.code, error.index, error.command], ['ENOENT', undefined, undefined]);
    assert.equal(error.message, 'transaction of 3 commands: Could not process rule: No such file or directory');
  });

  it('is not looked for when nothing at all is permitted', async () => {
    let exchanges = 0;
    const nftables = scriptedNftables(() => {
      exchanges += 1;
      return { ok: false, errors: 'internal:0:0-0: Error: Could not process rule: Operation not permitted\n' };
    });

    const error = await refusal(nftables.run(chains(3, 1)));

    assert.deepEqual([error.code, error.index, exchanges], ['EPERM', undefined, 1]);
  });

  it('is named with the element that was refused', async () => {
    const elem = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5'];
    const nftables = scriptedNftables((input) => ({
      ok: !JSON.stringify(input).includes('192.0.2.4'),
      errors: ENOENT,
    }));

    const error = await refusal(nftables.run([{ delete: { element: { ...IN, name: 's', elem } } }]));

    assert.deepEqual([error.index, error.element], [0, 3]);
    assert.equal(
      error.message,
      'delete element inet t s: Could not process rule: No such file or directory (element "192.0.2.4")',
    );
  });
});

describe('a listing without elements', () => {
  const cases = [
    ['a table', { table: { family: 'inet', name: 't' } }, { ruleset: { family: 'inet' } }],
    ['a set', { set: { ...IN, name: 's' } }, { sets: { family: 'inet' } }],
    ['a chain', { chain: { ...IN, name: 's' } }, { ruleset: { family: 'inet' } }],
    ['a counter', { counter: { ...IN, name: 's' } }, { ruleset: { family: 'inet' } }],
    ['a map', { map: { ...IN, name: 's' } }, { maps: { family: 'inet' } }],
  ] as const;

  for (const [title, selector, expected] of cases) {
    it(`of ${title} asks for what libnftables answers without reading elements`, async () => {
      const inputs: ScriptedInput[] = [];
      const nftables = scriptedNftables((input, mode) => {
        assert.equal(mode.terse, true);
        inputs.push(input);
        return {};
      });

      const error = await refusal(nftables.list(selector, { terse: true }));

      assert.equal(error.code, 'ENOENT');
      assert.deepEqual(inputs, [{ nftables: [{ list: expected }] }]);
    });
  }
});

function chains(total: number, culprit: number): readonly Command[] {
  return Array.from({ length: total }, (_, index) => ({
    add: { chain: { ...IN, name: index === culprit ? 'culprit' : `c${index}` } },
  }));
}

async function refusal(promise: Promise<unknown>): Promise<NftError> {
  const [outcome] = await Promise.allSettled([promise]);
  assert.ok(
    outcome.status === 'rejected' && outcome.reason instanceof NftError,
    `expected an NftError, got ${JSON.stringify(outcome)}`,
  );
  return outcome.reason;
}
