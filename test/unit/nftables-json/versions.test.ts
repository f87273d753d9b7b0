import assert from 'node:assert/strict';
import { NftError, type Command } from 'nftables-json';
import { scriptedNftables, type ScriptedAnswer, type ScriptedInput } from 'nftables-json/testing';

const IN = { family: 'inet', table: 't' } as const;
const OLD_VERSION =
  '{"nftables": [{"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}}]}';
const NEW_VERSION =
  '{"nftables": [{"metainfo": {"version": "1.1.3", "release_name": "Commodore Bullmoose #4", "json_schema_version": 1}}]}';

describe('an nft that knows destroy and the flag dynamic', () => {
  it('is given both as they are', async () => {
    const { applied, answer } = recording((input) => (isListing(input) ? { output: NEW_VERSION } : {}));
    const nftables = scriptedNftables(answer);
    const set = { ...IN, name: 's', type: 'mark', flags: ['dynamic'], size: 9 } as const;

    await nftables.run([{ destroy: { chain: { ...IN, name: 'c' } } }, { add: { set } }]);

    assert.deepEqual(await nftables.features(), { version: '1.1.3', destroy: true, jsonDynamicFlag: true });
    assert.deepEqual(applied, [[{ destroy: { chain: { ...IN, name: 'c' } } }, { add: { set } }]]);
  });
});

const oldNft: ScriptedAnswer = (input, { check }) => {
  if (isListing(input)) {
    return { output: OLD_VERSION };
  }
  return check ? { ok: false, errors: 'internal:0:0-0: Error: Parsing command array at index 1 failed.\n' } : {};
};

describe('an nft that knows neither', () => {
  it('is given add and delete for destroy, with no more than is needed to identify the object', async () => {
    const { applied, answer } = recording(oldNft);
    const base = { ...IN, name: 'c', type: 'filter', hook: 'input', prio: 1 } as const;

    await scriptedNftables(answer).run([
      { destroy: { chain: base } },
      { destroy: { set: { ...IN, name: 's', type: 'mark', flags: 'interval', elem: [1] } } },
    ]);

    assert.deepEqual(applied, [
      [
        { add: { chain: { ...IN, name: 'c' } } },
        { delete: { chain: base } },
        { add: { set: { ...IN, name: 's', type: 'mark', flags: ['interval'] } } },
        { delete: { set: { ...IN, name: 's', type: 'mark', flags: 'interval', elem: [1] } } },
      ],
    ]);
  });

  it('names the command of the caller although it became two', async () => {
    const nftables = scriptedNftables((input, mode) =>
      input.nftables.some((command) => 'insert' in command)
        ? {
            ok: false,
            errors:
              'internal:0:0-0: Error: Object item not found: expr\ninternal:0:0-0: Error: Parsing command array at index 2 failed.\n',
          }
        : oldNft(input, mode),
    );
    const insert: Command = { insert: { rule: { ...IN, chain: 'c', expr: [] } } };

    const error = await refusal(nftables.run([{ destroy: { chain: { ...IN, name: 'c' } } }, insert]));

    assert.deepEqual([error.code, error.index, error.command], ['SYNTAX', 1, insert]);
    assert.equal(error.message, 'insert rule inet t c: Object item not found: expr (command 2 of 2)');
  });

  it('is given the flag timeout alone for dynamic and timeout, and flags always as a list', async () => {
    const { applied, answer } = recording(oldNft);
    const set = { ...IN, name: 's', type: 'mark', timeout: 5 } as const;

    await scriptedNftables(answer).run([
      { add: { set: { ...set, flags: ['dynamic', 'timeout'] } } },
      { create: { set: { ...set, flags: 'timeout' } } },
    ]);

    assert.deepEqual(applied, [
      [{ add: { set: { ...set, flags: ['timeout'] } } }, { create: { set: { ...set, flags: ['timeout'] } } }],
    ]);
  });

  it('is probed once', async () => {
    let listings = 0;
    const nftables = scriptedNftables((input, mode) => {
      listings += isListing(input) ? 1 : 0;
      return oldNft(input, mode);
    });

    await nftables.features();
    await nftables.run([{ destroy: { table: { family: 'ip', name: 'x' } } }]);
    await nftables.features();

    assert.equal(listings, 1);
  });
});

describe('a listing', () => {
  it('is read in the forms of newer versions: one flag without its list, objects that we do not know', async () => {
    const output = JSON.stringify({
      nftables: [
        { metainfo: { version: '1.1.3' } },
        { table: { family: 'inet', name: 't', handle: 1, flags: 'dormant' } },
        { synproxy: { ...IN, name: 'unknown' } },
        {
          set: {
            ...IN,
            name: 's',
            type: 'ipv4_addr',
            handle: 2,
            flags: 'interval',
            elem: '192.0.2.1',
            newProperty: true,
          },
        },
      ],
    });

    const objects = await scriptedNftables(() => ({ output })).list({ ruleset: null });

    assert.deepEqual(objects, [
      { table: { family: 'inet', name: 't', handle: 1, flags: ['dormant'] } },
      {
        set: {
          ...IN,
          name: 's',
          type: 'ipv4_addr',
          handle: 2,
          flags: ['interval'],
          elem: ['192.0.2.1'],
          newProperty: true,
        },
      },
    ]);
  });

  it('is empty where nothing is printed', async () => {
    assert.deepEqual(await scriptedNftables(() => ({})).list({ ruleset: { family: 'ip' } }), []);
  });

  for (const output of ['garbage', '[]', '{"nftables": 3}']) {
    it(`is refused with UNKNOWN when it is ${output}`, async () => {
      const error = await refusal(scriptedNftables(() => ({ output })).list({ ruleset: null }));

      assert.equal(error.code, 'UNKNOWN');
    });
  }
});

/** Keeps what is applied, without what is only tried or listed. */
function recording(answer: ScriptedAnswer): { readonly applied: unknown[]; readonly answer: ScriptedAnswer } {
  const applied: unknown[] = [];
  return {
    applied,
    answer(input, mode) {
      if (!mode.check && !isListing(input)) {
        applied.push(input.nftables);
      }
      return answer(input, mode);
    },
  };
}

function isListing(input: ScriptedInput): boolean {
  return input.nftables.some((command) => 'list' in command);
}

async function refusal(promise: Promise<unknown>): Promise<NftError> {
  const [outcome] = await Promise.allSettled([promise]);
  assert.ok(
    outcome.status === 'rejected' && outcome.reason instanceof NftError,
    `expected an NftError, got ${JSON.stringify(outcome)}`,
  );
  return outcome.reason;
}
