import type { Command } from './command.js';
import { toElementChanges } from './element-change.js';
import type { ExecutionMode, ExecutionResult, Executor } from './executor.js';
import { explainFailure, parseFailureIndex } from './failure.js';
import { parseListing } from './listing.js';
import { lower, needsFeatures } from './lowering.js';
import { classifyErrors, firstMessage, isNotFound, NftError } from './nft-error.js';
import type { Features, ListOptions, Nftables, RunOptions, RunResult, Selector, SetReference } from './nftables.js';
import type { NftObject } from './objects.js';
import { hasElements, planListing, select } from './selector.js';
import { SerialQueue } from './serial-queue.js';

const APPLY: ExecutionMode = { check: false, terse: false };
const CHECK: ExecutionMode = { check: true, terse: false };

/**
 * Nftables over any executor: queue, lowering, errors and listings are the same for all of them. Owns the executor.
 */
export class ExecutorNftables implements Nftables {
  readonly executor: 'library' | 'process';
  readonly #executor: Executor;
  readonly #queue = new SerialQueue();
  #features: Features | undefined;

  constructor(executor: Executor) {
    this.executor = executor.kind;
    this.#executor = executor;
  }

  run(commands: readonly Command[], options: RunOptions = {}): Promise<RunResult> {
    return this.#queue.run(async () => {
      const startedAt = performance.now();
      await this.#apply(commands);
      return { durationMs: performance.now() - startedAt };
    }, options.signal);
  }

  check(commands: readonly Command[], options: RunOptions = {}): Promise<void> {
    return this.#queue.run(async () => {
      const result = await this.#attempt(commands);
      if (!result.ok) {
        throw await this.#explain(commands, result);
      }
    }, options.signal);
  }

  list(selector: Selector, options: ListOptions = {}): Promise<readonly NftObject[]> {
    return this.#queue.run(() => this.#listNow(selector, options.terse === true), options.signal);
  }

  hasElements(set: SetReference): Promise<boolean> {
    return this.#queue.run(async () => this.#executor.hasElements(set) ?? (await this.#listsElements(set)));
  }

  generation(): Promise<number | undefined> {
    return this.#queue.run(async () => this.#executor.generation());
  }

  features(): Promise<Features> {
    return this.#queue.run(() => this.#probe());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.close();
    await this.#executor[Symbol.asyncDispose]();
  }

  async #listNow(selector: Selector, isTerse: boolean): Promise<readonly NftObject[]> {
    const plan = planListing(selector, isTerse);
    const result = await this.#list(plan.list, plan.terse);
    if (!result.ok) {
      throw new NftError(
        classifyErrors(result.errors),
        `list ${JSON.stringify(selector)}: ${firstMessage(result.errors)}`,
        { detail: result.errors },
      );
    }
    return select(plan, selector, parseListing(result.output).objects);
  }

  /** A set and a map have their names in common, but each is listed by its own word. */
  async #listsElements(set: SetReference): Promise<boolean> {
    const objects = await this.#listNow({ set }, false).catch((error: unknown) => {
      if (isNotFound(error)) {
        return this.#listNow({ map: set }, false);
      }
      throw error;
    });
    return objects.some(hasElements);
  }

  async #apply(commands: readonly Command[]): Promise<void> {
    const changes = toElementChanges(commands);
    if (changes && (await this.#executor.applyElements(changes))) {
      return;
    }
    const { input } = await this.#lower(commands);
    if (input === '') {
      return;
    }
    const result = await this.#executor.execute(input, APPLY);
    if (!result.ok) {
      throw await this.#explain(commands, result);
    }
  }

  /** Check mode. A reset has none: libnftables would execute it, so this only checks that the counter exists. */
  async #attempt(commands: readonly Command[]): Promise<ExecutionResult> {
    const [command] = commands;
    if (command && 'reset' in command && commands.length === 1) {
      return this.#list(command.reset, true);
    }
    const { input } = await this.#lower(commands);
    return input === '' ? { ok: true, output: '', errors: '' } : this.#executor.execute(input, CHECK);
  }

  async #explain(commands: readonly Command[], result: ExecutionResult): Promise<NftError> {
    const { origin } = await this.#lower(commands);
    const line = parseFailureIndex(result.errors);
    return explainFailure(commands, result, line === undefined ? undefined : origin[line], (prefix) =>
      this.#attempt(prefix),
    );
  }

  async #lower(commands: readonly Command[]): Promise<ReturnType<typeof lower>> {
    return lower(commands, needsFeatures(commands) ? await this.#probe() : undefined);
  }

  #list(object: object, terse: boolean): Promise<ExecutionResult> {
    return this.#executor.execute(JSON.stringify({ nftables: [{ list: object }] }), { check: false, terse });
  }

  async #probe(): Promise<Features> {
    if (this.#features) {
      return this.#features;
    }
    // Every listing begins with the version; this one costs nothing however much is installed.
    const chains = await this.#list({ chains: { family: 'netdev' } }, true);
    if (!chains.ok) {
      const code = classifyErrors(chains.errors);
      const hint = code === 'EPERM' ? ' (CAP_NET_ADMIN is needed in the network namespace)' : '';
      throw new NftError(code, `nftables cannot be read: ${firstMessage(chains.errors)}${hint}`, {
        detail: chains.errors,
      });
    }
    // Tried in check mode, on an unused table name, in a transaction that would remove the table again.
    const table = { family: 'inet', name: 'nftables-json-probe' };
    const destroy = await this.#try([{ add: { table } }, { destroy: { table } }]);
    const dynamic = await this.#try([
      { add: { table } },
      {
        add: { set: { family: 'inet', table: table.name, name: 'probe', type: 'mark', flags: ['dynamic'], size: 1 } },
      },
    ]);
    this.#features = { version: parseListing(chains.output).version, destroy, jsonDynamicFlag: dynamic };
    return this.#features;
  }

  async #try(commands: readonly object[]): Promise<boolean> {
    const { ok } = await this.#executor.execute(JSON.stringify({ nftables: commands }), CHECK);
    return ok;
  }
}
