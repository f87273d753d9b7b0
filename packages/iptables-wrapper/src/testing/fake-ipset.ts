import { IptablesError, type IptablesErrorCode } from '../iptables-error.js';
import type { RunOptions } from '../iptables.js';
import type { Ipset, ListedSet, SetCommand, SetElement, SetSpec } from '../ipset.js';
import { SerialQueue } from '../serial-queue.js';
import { describeSetCommand, faultOfElement, faultOfSpec, lowerSetCommands, placeOf } from '../set-commands.js';

const DEFAULT_MAX_ELEMENTS = 65_536;

interface FakeSet {
  spec: SetSpec;
  elements: Map<string, SetElement>;
}

/**
 * ipset in memory, with the kernel's refusals. Time does not pass in it: elements do not expire. Addresses are
 * compared as text: give them in the form in which ipset lists them.
 *
 * Passes the same contract suite as the real program.
 */
export class FakeIpset implements Ipset {
  readonly version = '7.17';
  readonly #queue = new SerialQueue('ipset');
  readonly #sets = new Map<string, FakeSet>();
  readonly #referrers: (() => readonly string[])[] = [];
  readonly #failures: Error[] = [];

  run(commands: readonly SetCommand[], options: RunOptions = {}): Promise<void> {
    return this.#queue.run(async () => {
      this.#throwPlanned();
      lowerSetCommands(commands);
      for (const [index, command] of commands.entries()) {
        try {
          this.#apply(command);
        } catch (error) {
          if (!(error instanceof IptablesError)) throw error;
          throw new IptablesError(
            error.code,
            `${describeSetCommand(command)}: ${error.message}${placeOf(commands, index)}`,
            { index },
          );
        }
      }
    }, options.signal);
  }

  replace(spec: SetSpec, elements: readonly SetElement[], options: RunOptions = {}): Promise<void> {
    return this.#queue.run(async () => {
      this.#throwPlanned();
      const fault =
        faultOfSpec(spec) ??
        elements.map((element) => faultOfElement(element, spec)).find((found) => found !== undefined);
      if (fault !== undefined) throw refusal('EINVAL', `replace set ${spec.name}: ${fault}`);
      const known = this.#sets.get(spec.name);
      if (known && !isSwappable(known.spec, spec))
        throw refusal('EINVAL', `replace set ${spec.name}: it is of another type`);
      const fresh: FakeSet = { spec, elements: new Map() };
      for (const element of elements) add(fresh, element, true);
      this.#sets.set(spec.name, fresh);
    }, options.signal);
  }

  list(name?: string, options: RunOptions = {}): Promise<readonly ListedSet[]> {
    return this.#queue.run(async () => {
      this.#throwPlanned();
      const sets = name === undefined ? [...this.#sets.values()] : [this.#set(name)];
      return sets.map(listed);
    }, options.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.close();
  }

  /** True for a set that exists. */
  has(name: string): boolean {
    return this.#sets.has(name);
  }

  /** Registers references to sets: a set with references cannot be destroyed. */
  addReferrer(names: () => readonly string[]): void {
    this.#referrers.push(names);
  }

  /** Makes the next calls reject, one error each, before they do anything. */
  failNext(...errors: readonly Error[]): void {
    this.#failures.push(...errors);
  }

  #throwPlanned(): void {
    const failure = this.#failures.shift();
    if (failure) throw failure;
  }

  #apply(command: SetCommand): void {
    if ('create' in command) {
      if (this.#sets.has(command.create.name)) throw refusal('EEXIST', 'a set of that name exists');
      this.#sets.set(command.create.name, { spec: command.create, elements: new Map() });
    } else if ('ensure' in command) {
      const known = this.#sets.get(command.ensure.name);
      if (known && makeOf(known.spec) !== makeOf(command.ensure))
        throw refusal('EEXIST', 'a set of that name and of other make exists');
      if (!known) this.#sets.set(command.ensure.name, { spec: command.ensure, elements: new Map() });
    } else if ('destroy' in command) {
      this.#set(command.destroy.name);
      if (this.#referrers.some((names) => names().includes(command.destroy.name)))
        throw refusal('EBUSY', 'it is in use');
      this.#sets.delete(command.destroy.name);
    } else if ('flush' in command) {
      this.#set(command.flush.name).elements.clear();
    } else if ('swap' in command) {
      this.#swap(command.swap.name, command.swap.with);
    } else if ('add' in command) {
      for (const element of command.add.elements) add(this.#set(command.add.name), element, false);
    } else if ('put' in command) {
      for (const element of command.put.elements) add(this.#set(command.put.name), element, true);
    } else if ('delete' in command) {
      for (const value of command.delete.values) {
        if (!this.#set(command.delete.name).elements.delete(keyOf(value)))
          throw refusal('ENOENT', `${value} is not in it`);
      }
    } else {
      for (const value of command.discard.values) this.#set(command.discard.name).elements.delete(keyOf(value));
    }
  }

  #swap(name: string, other: string): void {
    const [a, b] = [this.#set(name), this.#set(other)];
    if (!isSwappable(a.spec, b.spec)) throw refusal('EINVAL', 'their types differ');
    this.#sets.set(name, { ...b, spec: { ...b.spec, name } });
    this.#sets.set(other, { ...a, spec: { ...a.spec, name: other } });
  }

  #set(name: string): FakeSet {
    const set = this.#sets.get(name);
    if (!set) throw refusal('ENOENT', `set ${name} does not exist`);
    return set;
  }
}

function add({ spec, elements }: FakeSet, element: SetElement, mayExist: boolean): void {
  const fault = faultOfElement(element, spec);
  if (fault !== undefined) throw refusal('EINVAL', fault);
  if (element.timeoutSeconds !== undefined && spec.timeoutSeconds === undefined)
    throw refusal('EINVAL', 'the set has no timeouts');
  if (element.mark !== undefined && spec.hasMarks !== true) throw refusal('EINVAL', 'the set has no marks');
  const key = keyOf(element.value);
  if (!mayExist && elements.has(key)) throw refusal('EEXIST', `${element.value} is in it`);
  if (!elements.has(key) && elements.size >= (spec.maxElements ?? DEFAULT_MAX_ELEMENTS))
    throw refusal('ENFILE', 'the set is full');
  elements.set(key, element);
}

function listed({ spec, elements }: FakeSet): ListedSet {
  const { name, type, family = 4, timeoutSeconds, maxElements = DEFAULT_MAX_ELEMENTS, hasMarks = false } = spec;
  return {
    name,
    type,
    ...(type === 'hash:mac' ? {} : { family }),
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    maxElements,
    hasMarks,
    elements: [...elements.values()].map((element) => ({
      value: element.value.toLowerCase(),
      ...(timeoutSeconds === undefined ? {} : { timeoutSeconds: element.timeoutSeconds ?? timeoutSeconds }),
      ...(element.mark === undefined ? {} : { mark: markOf(element.mark) }),
    })),
  };
}

/** A mask of all bits is not listed. */
function markOf({ value, mask }: { value: number; mask?: number }): { value: number; mask?: number } {
  return mask === undefined || mask === 0xffff_ffff ? { value } : { value, mask };
}

function isSwappable(a: SetSpec, b: SetSpec): boolean {
  return a.type === b.type && (a.family ?? 4) === (b.family ?? 4);
}

function makeOf({
  type,
  family = 4,
  timeoutSeconds,
  maxElements = DEFAULT_MAX_ELEMENTS,
  hasMarks = false,
}: SetSpec): string {
  return JSON.stringify([type, family, timeoutSeconds ?? null, maxElements, hasMarks]);
}

function keyOf(value: string): string {
  return value.toLowerCase().replace(/\/(?:32|128)$/u, '');
}

function refusal(code: IptablesErrorCode, message: string): IptablesError {
  return new IptablesError(code, message);
}
