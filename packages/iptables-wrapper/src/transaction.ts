import type { ChainRef, ChainRule, ChainRules, Command, Jump } from './command.js';

/**
 * Collects commands for `Iptables.run`. Building never fails; what is wrong with a command is reported by `run`, with
 * its index in `commands`.
 *
 *     const place = {family: 4, table: 'mangle'} as const;
 *     const transaction = new Transaction()
 *       .replace({...place, chain: 'VPN-in', rules: [['-j', 'MARK', '--set-xmark', '0x1/0xff']]})
 *       .jump({...place, chain: 'PREROUTING', target: 'VPN-in', at: 'first'});
 *     await iptables.run(transaction.commands);
 */
export class Transaction {
  readonly #commands: Command[] = [];

  /** The commands so far, in the order of the calls. */
  get commands(): readonly Command[] {
    return this.#commands;
  }

  /** Makes a chain with these rules; EEXIST if it exists. */
  create(chain: ChainRules): this {
    return this.#push({ create: chain });
  }

  /** Makes a chain have exactly these rules, whether it exists or not. */
  replace(chain: ChainRules): this {
    return this.#push({ replace: chain });
  }

  /** Removes a chain and its rules; ENOENT if it does not exist, EBUSY while a rule elsewhere leads to it. */
  delete(chain: ChainRef): this {
    return this.#push({ delete: chain });
  }

  /** Removes a chain and its rules if it exists. */
  destroy(chain: ChainRef): this {
    return this.#push({ destroy: chain });
  }

  /** Adds a rule at the end of a chain. */
  append(rule: ChainRule): this {
    return this.#push({ append: rule });
  }

  /** Adds a rule at the front of a chain. */
  insert(rule: ChainRule): this {
    return this.#push({ insert: rule });
  }

  /** Removes the first rule that has these words; ENOENT if there is none. */
  remove(rule: ChainRule): this {
    return this.#push({ remove: rule });
  }

  /** Makes sure that exactly one rule of a chain leads to ours, in its place. */
  jump(jump: Jump): this {
    return this.#push({ jump });
  }

  /** Removes every rule of a chain that leads to ours. */
  unjump(jump: ChainRef & { readonly target: string }): this {
    return this.#push({ unjump: jump });
  }

  #push(command: Command): this {
    this.#commands.push(command);
    return this;
  }
}
