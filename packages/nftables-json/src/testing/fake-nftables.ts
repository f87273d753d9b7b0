import type { Command } from '../command.js';
import { describeCommand, NftError } from '../nft-error.js';
import type { Features, ListOptions, Nftables, RunOptions, RunResult, Selector, SetReference } from '../nftables.js';
import { hasElements } from '../selector.js';
import type { Element, NftObject } from '../objects.js';
import { SerialQueue } from '../serial-queue.js';
import { applyCommand } from './fake-changes.js';
import { ElementRefused } from './fake-elements.js';
import { listState } from './fake-listing.js';
import { FakeState, splitElement } from './fake-state.js';

/** Behaves as nft 1.0.6 if versions differ. */
const FEATURES: Features = { version: '1.0.6', destroy: false, jsonDynamicFlag: false };

/**
 * nftables in memory, with the kernel's rules for what refers to what, and atomic transactions. Time does not pass in
 * it: elements do not expire. It does not check types of values: it may accept what the kernel rejects.
 *
 * Passes the same contract suite as the real executors.
 */
export class FakeNftables implements Nftables {
  readonly executor = 'fake';
  readonly #queue = new SerialQueue();
  readonly #state = new FakeState();
  readonly #transactions: (readonly Command[])[] = [];
  readonly #failures: Error[] = [];
  #generation = 1;

  /** The command lists that `run` has applied, oldest first. */
  get transactions(): readonly (readonly Command[])[] {
    return this.#transactions;
  }

  run(commands: readonly Command[], options: RunOptions = {}): Promise<RunResult> {
    return this.#queue.run(async () => {
      this.#throwPlanned();
      this.#change(commands, true);
      if (commands.length > 0) {
        this.#transactions.push(commands);
      }
      return { durationMs: 0 };
    }, options.signal);
  }

  check(commands: readonly Command[], options: RunOptions = {}): Promise<void> {
    return this.#queue.run(async () => {
      this.#throwPlanned();
      this.#change(commands, false);
    }, options.signal);
  }

  list(selector: Selector, options: ListOptions = {}): Promise<readonly NftObject[]> {
    return this.#queue.run(async () => {
      this.#throwPlanned();
      return listState(this.#state, selector, options.terse === true);
    }, options.signal);
  }

  hasElements(set: SetReference): Promise<boolean> {
    return this.#queue.run(async () => {
      this.#throwPlanned();
      const objects = listState(this.#state, { ruleset: null }, false).filter((object) => isNamed(object, set));
      if (objects.length === 0) {
        throw new NftError('ENOENT', `list ${JSON.stringify({ set })}: No such file or directory`);
      }
      return objects.some(hasElements);
    });
  }

  generation(): Promise<number> {
    return this.#queue.run(async () => this.#generation);
  }

  features(): Promise<Features> {
    return this.#queue.run(async () => FEATURES);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.close();
  }

  /** Changes the ruleset as another program would, or as rules fill a dynamic set: at once, not in `transactions`. */
  inject(commands: readonly Command[]): void {
    this.#change(commands, true);
  }

  /** Makes the next calls of run, check and list reject, one error each, before they do anything. */
  failNext(...errors: readonly Error[]): void {
    this.#failures.push(...errors);
  }

  /** The whole ruleset, one JSON object per line, without handles, elements sorted: equal texts are equal rulesets. */
  dump(): string {
    const lines = listState(this.#state, { ruleset: null }, false).map(
      (object) => `${JSON.stringify(comparable(object))}\n`,
    );
    return lines.join('');
  }

  #throwPlanned(): void {
    const failure = this.#failures.shift();
    if (failure) {
      throw failure;
    }
  }

  #change(commands: readonly Command[], keep: boolean): void {
    this.#state.atomically(() => {
      for (const [index, command] of commands.entries()) {
        if ('reset' in command && commands.length > 1) {
          throw new NftError('EINVAL', 'reset is no part of a transaction in nftables: run it alone', {
            index,
            command,
          });
        }
        try {
          applyCommand(this.#state, command);
        } catch (error) {
          throw named(error, commands, index, command);
        }
      }
    }, keep);
    if (keep && commands.length > 0) {
      this.#generation += 1;
    }
  }
}

function isNamed(object: NftObject, { family, table, name }: SetReference): boolean {
  const set = 'set' in object ? object.set : 'map' in object ? object.map : undefined;
  return set?.family === family && set.table === table && set.name === name;
}

function named(error: unknown, commands: readonly Command[], index: number, command: Command): unknown {
  if (!(error instanceof NftError)) {
    return error;
  }
  const place = commands.length > 1 ? ` (command ${index + 1} of ${commands.length})` : '';
  return new NftError(error.code, `${describeCommand(command)}: ${error.message}${place}`, {
    index,
    command,
    element: error instanceof ElementRefused ? error.elementIndex : undefined,
    detail: `Error: ${error.message}`,
  });
}

function comparable(object: NftObject): unknown {
  if ('set' in object) {
    const { handle: _handle, elem, ...rest } = object.set;
    return { set: elem ? { ...rest, elem: sorted(elem) } : rest };
  }
  if ('map' in object) {
    const { handle: _handle, elem, ...rest } = object.map;
    return { map: elem ? { ...rest, elem: sorted(elem) } : rest };
  }
  // A listing has no objects of the kind `element`; every other kind has a handle.
  return Object.fromEntries(
    Object.entries(object).map(([kind, { handle: _handle, ...rest }]: [string, { handle?: number }]) => [kind, rest]),
  );
}

function sorted(elements: Element['elem']): Element['elem'] {
  return elements.toSorted((a, b) => (splitElement(a).key < splitElement(b).key ? -1 : 1));
}
