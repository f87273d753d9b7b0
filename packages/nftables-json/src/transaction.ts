import type {
  AddObject,
  Command,
  DeleteObject,
  DestroyObject,
  FlushObject,
  ReplaceRule,
  ResetObject,
} from './command.js';
import type { Rule } from './objects.js';

/**
 * Collects commands that take effect together or not at all.
 *
 * Building never fails; what is wrong with a command is reported by `Nftables.run`, with its index in `commands`.
 *
 *     const transaction = new Transaction()
 *       .add({table: {family: 'inet', name: 'filter'}})
 *       .add({set: {family: 'inet', table: 'filter', name: 'clients', type: 'ipv4_addr'}});
 *     await nftables.run(transaction.commands);
 */
export class Transaction {
  readonly #commands: Command[] = [];

  /** The commands so far, in the order of the calls. */
  get commands(): readonly Command[] {
    return this.#commands;
  }

  /** Adds an object; does nothing where the same one exists (rules: always appends one more). */
  add(object: AddObject): this {
    return this.#push({ add: object });
  }

  /** As `add`, but an object that exists is an error (EEXIST). */
  create(object: AddObject): this {
    return this.#push({ create: object });
  }

  /** Puts a rule at the front of its chain, or before the rule that `handle` or `index` name. */
  insert(object: { readonly rule: Rule }): this {
    return this.#push({ insert: object });
  }

  /** Puts a rule in the place of the one that has this handle. */
  replace(object: { readonly rule: ReplaceRule }): this {
    return this.#push({ replace: object });
  }

  /** Removes an object; one that does not exist is an error (ENOENT), one that is referred to as well (EBUSY). */
  delete(object: DeleteObject): this {
    return this.#push({ delete: object });
  }

  /** Removes an object if it exists. @see DestroyObject */
  destroy(object: DestroyObject): this {
    return this.#push({ destroy: object });
  }

  /** Empties a table, chain, set, map, or everything. */
  flush(object: FlushObject): this {
    return this.#push({ flush: object });
  }

  /** Resets a counter to zero. */
  reset(object: ResetObject): this {
    return this.#push({ reset: object });
  }

  #push(command: Command): this {
    this.#commands.push(command);
    return this;
  }
}
