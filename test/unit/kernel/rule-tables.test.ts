import assert from 'node:assert/strict';
import { NftError, type NftErrorCode } from 'nftables-json';
import { NOTHING, type Structure } from '../../../rules/index.js';
import { GwmarkError } from '../../../sidecar/errors.js';
import type { Firewall } from '../../../sidecar/firewall/firewall.js';
import { RuleTables } from '../../../sidecar/kernel/rule-tables.js';
import { site } from '../rules/sample-site.js';

/** A packet filter that takes everything, or refuses every change. */
class Table implements Firewall<Structure> {
  readonly needsFullRewrite: boolean;
  applied = 0;
  tried = 0;
  readonly #refusal: NftErrorCode | null;

  constructor(refusal: NftErrorCode | null = null, isKnown = false) {
    this.#refusal = refusal;
    this.needsFullRewrite = !isKnown;
  }

  async apply(): Promise<void> {
    this.tried += 1;
    if (this.#refusal !== null)
      throw new GwmarkError('FIREWALL_FAILED', 'no', { cause: new NftError(this.#refusal, 'no') });
    this.applied += 1;
  }
  adopt = async (): Promise<null> => null;
  inspect = async (): ReturnType<Firewall<Structure>['inspect']> => ({ state: 'intact', counters: null });
  differences = async (): Promise<number> => 0;
  invalidate = (): void => undefined;
  markClashes = async (): Promise<readonly string[]> => [];
  remove = async (): Promise<readonly string[]> => [];
  readCounters = async (): Promise<null> => null;
  seenMacs = async (): Promise<readonly []> => [];
  takers = async (): Promise<readonly []> => [];
}

const compile = (): { rules: Structure; bridge: Structure; routing: { rules: []; routes: []; neighbours: [] } } => ({
  rules: NOTHING,
  bridge: NOTHING,
  routing: { rules: [], routes: [], neighbours: [] },
});

describe('RuleTables in a kernel without tables of family bridge', () => {
  it('installs the table for packets, says it once, and does not ask for every client again', async () => {
    const [main, bridge, told] = [new Table(), new Table('EOPNOTSUPP'), [] as Error[]];
    const tables = RuleTables.of(main, bridge, compile, (error) => told.push(error));

    for (let pass = 0; pass < 2; pass += 1) await tables.compile(site()).install([], []);

    assert.deepEqual([main.applied, bridge.tried, told.length], [2, 1, 1]);
  });

  it('fails where the endpoint cannot do without', async () => {
    const tables = RuleTables.of(new Table(), new Table('EOPNOTSUPP'), compile);

    await assert.rejects(tables.compile(site()).install([], []), { code: 'FIREWALL_FAILED' });
  });

  it('fails when the kernel refuses for another reason, or a table that it had taken', async () => {
    for (const bridge of [new Table('EBUSY'), new Table('EOPNOTSUPP', true)]) {
      const tables = RuleTables.of(new Table(), bridge, compile, () => assert.fail('it is supported'));

      await assert.rejects(tables.compile(site()).install([], []), { code: 'FIREWALL_FAILED' });
    }
  });
});
