import type { Command, Expression, Nftables, NftObject } from 'nftables-json';
import type { ClientNetwork, ClientNetworkChange, Policy, Structure, TableFamily } from '../../rules/index.js';
import { NOTHING, TAKERS_SET, clientCommands, diffStructure, withoutFlowtables } from '../../rules/index.js';
import { NftError, isNotFound } from 'nftables-json';
import { GwmarkError } from '../errors.js';
import { notOurs } from './clash.js';
import type { Firewall, FirewallReading, OffloadedFlows, RuleCounters, SeenMac, SeenSet, Taker } from './firewall.js';
import { countDifferences } from './firewall.js';
import { nftablesMarkClashes } from './nftables-marks.js';
import type { InstalledTable } from './table-reader.js';
import { readSeenMacs, readTable, readTakers } from './table-reader.js';

/**
 * What a kernel without flowtables answers, and one without a device of it (ENOENT for both), or with this device in
 * another flowtable of the table.
 */
const REFUSALS: ReadonlySet<string> = new Set(['ENOENT', 'EEXIST', 'EBUSY', 'EOPNOTSUPP']);

/** Our nftables table in the kernel: one transaction a change, never half of one. */
export class NftablesFirewall implements Firewall<Structure>, OffloadedFlows {
  readonly #nft: Nftables;
  readonly #table: string;
  readonly #family: TableFamily;
  /** What the kernel has. */
  #structure: Structure = NOTHING;
  /** What was last applied: the same, unless the kernel refused its flowtables. */
  #applied: Structure = NOTHING;
  #refusal: string | null = null;
  /** A change under way; never rejects. */
  #changing: Promise<void> | null = null;
  /** The table exists but is to be replaced as a whole: it is damaged, or of another layout. */
  #mustReplace = false;
  /** Of the terse listing after our last change of structure; null before the first. */
  #fingerprint: string | null = null;
  /** The ruleset's generation when the table was last seen intact. */
  #generation: number | null = null;

  /** @param nft borrowed: its owner closes it after the firewall is done with it */
  constructor(nft: Nftables, table: string, family: TableFamily = 'inet') {
    this.#nft = nft;
    this.#table = table;
    this.#family = family;
  }

  /**
   * Takes over the table that an earlier run left, if there is one.
   *
   * @returns null when there is none
   * @throws GwmarkError FIREWALL_CLASH when the table is not ours
   */
  async adopt(deviceOf: (address: string) => string): Promise<InstalledTable | null> {
    const objects = await this.#list(false);
    if (objects === null) return null;
    const installed = readTable(objects, deviceOf);
    if (installed.owner === 'foreign') throw notOurs(`nftables table ${this.#family} ${this.#table}`);
    this.#structure = installed.structure;
    this.#mustReplace = installed.owner === 'outdated';
    return installed;
  }

  /** True while the table may differ from what was last written: the next change has to include every client. */
  get needsFullRewrite(): boolean {
    return this.#structure === NOTHING;
  }

  /**
   * Makes the table what `structure` says, and its client sets what the changes say, in one transaction.
   *
   * @param changes when `needsFullRewrite`, an `add` for every client network
   * @throws GwmarkError FIREWALL_FAILED; nothing has changed then
   */
  async apply(structure: Structure, changes: Iterable<ClientNetworkChange>): Promise<void> {
    while (this.#changing !== null) await this.#changing;
    await this.#noting(this.#applyNow(structure, changes));
  }

  get refusal(): string | null {
    return this.#refusal;
  }

  async renew(): Promise<boolean> {
    while (this.#changing !== null) await this.#changing;
    const { flowtables } = this.#applied;
    // A table that is to be replaced gets new flowtables with it.
    if (this.#structure === NOTHING || this.#mustReplace || flowtables === undefined) return false;
    const unknown = [...(this.#structure.flowtables ?? [])].map(
      ([name, spec]) => [name, { ...spec, devices: null }] as const,
    );
    await this.#noting(this.#change({ ...this.#structure, flowtables: new Map(unknown) }, this.#applied, []));
    return true;
  }

  async #applyNow(structure: Structure, changes: Iterable<ClientNetworkChange>): Promise<void> {
    const clients = clientCommands(this.#table, changes, this.#family);
    const isStructural = structure !== this.#applied || this.#structure === NOTHING;
    if (isStructural) {
      await this.#change(this.#structure, structure, clients);
      return;
    }
    if (this.#mustReplace || clients.length > 0)
      await this.#run([...(this.#mustReplace ? this.#removal() : []), ...clients]);
    this.#mustReplace = false;
  }

  /** One transaction, or where the kernel refuses flowtables, a second one without them. */
  async #change(from: Structure, to: Structure, clients: readonly Command[]): Promise<void> {
    const removal = this.#mustReplace ? this.#removal() : [];
    const commandsFor = (wanted: Structure): readonly Command[] => {
      const { before, after } = diffStructure(this.#table, from, wanted, this.#family);
      return [...removal, ...before, ...clients, ...after];
    };
    const commands = commandsFor(to);
    let installed = to;
    let refusal: string | null = null;
    if (commands.length > 0) {
      try {
        await this.#run(commands);
      } catch (error) {
        if (to.flowtables === undefined || !isRefusal(error)) throw error;
        installed = withoutFlowtables(to);
        refusal = (error as Error).message;
        await this.#run(commandsFor(installed));
      }
    }
    this.#structure = installed;
    this.#applied = to;
    this.#refusal = refusal;
    this.#mustReplace = false;
    if (commands.length > 0) await this.#rememberFingerprint();
  }

  async #run(commands: readonly Command[]): Promise<void> {
    try {
      await this.#nft.run(commands);
    } catch (error) {
      throw new GwmarkError(
        'FIREWALL_FAILED',
        `apply ${commands.length} changes to nftables table ${this.#family} ${this.#table}: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }

  async #noting(work: Promise<void>): Promise<void> {
    const changing = work
      .catch(() => undefined)
      .finally(() => {
        this.#changing = null;
      });
    this.#changing = changing;
    await work;
    await changing;
  }

  /**
   * Checks whether the table is as we left it. If not, the next `apply` replaces it as a whole.
   * As long as nobody changed anything in nftables, this costs microseconds, unless counters are wanted.
   */
  async inspect(options: { readonly withCounters?: boolean } = {}): Promise<FirewallReading> {
    while (this.#changing !== null) await this.#changing;
    const generation = (await this.#nft.generation()) ?? null;
    const isUntouched = generation !== null && generation === this.#generation;
    if (this.#structure === NOTHING || (isUntouched && options.withCounters !== true))
      return { state: 'intact', counters: null };
    const objects = await this.#list(true);
    if (objects === null) {
      this.#invalidate(false);
      return { state: 'missing', counters: null };
    }
    const { fingerprint, counters } = readTable(objects, () => '');
    if (fingerprint !== this.#fingerprint) {
      this.#invalidate(true);
      return { state: 'changed', counters };
    }
    this.#generation = generation;
    return { state: 'intact', counters };
  }

  async readCounters(): Promise<RuleCounters | null> {
    const objects = await this.#list(true);
    return objects === null ? null : readTable(objects, () => '').counters;
  }

  /** Everything in the table, elements included; null when it is gone. Costs time in proportion to the clients. */
  async readAll(deviceOf: (address: string) => string): Promise<InstalledTable | null> {
    const objects = await this.#list(false);
    return objects === null ? null : readTable(objects, deviceOf);
  }

  async differences(installed: ReadonlyMap<string, ClientNetwork>): Promise<number> {
    const wanted = this.#structure;
    if (wanted === NOTHING) return 0;
    const table = await this.readAll((address) => installed.get(address)?.device ?? '');
    if (table === null) return 0;
    const verdicts = [...wanted.verdicts].map(([name, elements]) =>
      countDifferences(elements, table.structure.verdicts.get(name) ?? new Map()),
    );
    return verdicts.reduce((sum, many) => sum + many, countDifferences(installed, table.clients));
  }

  /** Elements were not what they should be: the next `apply` replaces the table as a whole. */
  invalidate(): void {
    if (this.#structure !== NOTHING) this.#invalidate(true);
  }

  /** The MACs in one of the sets that the packet path fills; empty when the set is gone. */
  async seenMacs(set: SeenSet): Promise<readonly SeenMac[]> {
    return readSeenMacs(await this.#noted(set));
  }

  async takers(policy: Pick<Policy, 'markMask'>): Promise<readonly Taker[]> {
    return readTakers(policy, await this.#noted(TAKERS_SET));
  }

  async markClashes(policy: Policy): Promise<readonly string[]> {
    return nftablesMarkClashes(policy, await this.#nft.list({ ruleset: null }, { terse: true }));
  }

  async remove(): Promise<readonly string[]> {
    if ((await this.#list(true)) === null) return [];
    await this.#nft.run([{ delete: { table: { family: this.#family, name: this.#table } } }]);
    this.#structure = NOTHING;
    return [`nftables table ${this.#family} ${this.#table}`];
  }

  /** What the packet path put into a set; nothing when it is gone. Mostly there is nothing, which is fast to see. */
  async #noted(name: string): Promise<readonly Expression[]> {
    const set = { family: this.#family, table: this.#table, name };
    try {
      if (!(await this.#nft.hasElements(set))) return [];
      const objects = await this.#nft.list({ set });
      return objects.flatMap((object) => ('set' in object ? (object.set.elem ?? []) : []));
    } catch (error) {
      if (isNotFound(error)) return [];
      throw error;
    }
  }

  /**
   * Elements are not part of it, so changes of clients leave it as it is. A listing that fails is no failure of the
   * change, which stays applied: the next inspection finds the table changed and replaces it.
   */
  async #rememberFingerprint(): Promise<void> {
    const objects = await this.#list(true).catch(() => null);
    this.#fingerprint = objects === null ? null : readTable(objects, () => '').fingerprint;
  }

  #invalidate(exists: boolean): void {
    this.#generation = null;
    this.#structure = NOTHING;
    this.#fingerprint = null;
    this.#mustReplace = exists;
  }

  /** `add` first: the table may be gone by now, and nft 1.0.6 has no `destroy`. */
  #removal(): Command[] {
    const table = { family: this.#family, name: this.#table };
    return [{ add: { table } }, { delete: { table } }];
  }

  async #list(terse: boolean): Promise<readonly NftObject[] | null> {
    try {
      return await this.#nft.list({ table: { family: this.#family, name: this.#table } }, { terse });
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof GwmarkError && error.cause instanceof NftError && REFUSALS.has(error.cause.code);
}
