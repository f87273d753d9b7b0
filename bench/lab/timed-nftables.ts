import type { Command, Nftables } from 'nftables-json';
import { monotonicUs } from './clock.js';
import type { AppliedChange } from './messages.js';

/**
 * The same nftables, which tells of addresses as soon as the kernel has them: at the moment when the transaction's
 * promise resolves, so what koffi and the event loop need to come back is counted in.
 */
export function timedNftables(
  nftables: Nftables,
  set: string,
  onApplied: (changes: readonly AppliedChange[]) => void,
): Nftables {
  return watchedNftables(nftables, (commands) => {
    const atUs = monotonicUs();
    const changes = commands.flatMap((command) => addressesOf(command, set).map((change) => ({ ...change, atUs })));
    if (changes.length > 0) onApplied(changes);
  });
}

/** The same nftables, which tells of each transaction that the kernel has taken. */
export function watchedNftables(nftables: Nftables, onTaken: (commands: readonly Command[]) => void): Nftables {
  return {
    executor: nftables.executor,
    run: async (commands, options) => {
      const result = await nftables.run(commands, options);
      onTaken(commands);
      return result;
    },
    check: (commands, options) => nftables.check(commands, options),
    list: (selector, options) => nftables.list(selector, options),
    hasElements: (of) => nftables.hasElements(of),
    generation: () => nftables.generation(),
    features: () => nftables.features(),
    [Symbol.asyncDispose]: () => nftables[Symbol.asyncDispose](),
  };
}

function addressesOf(command: Command, set: string): { op: 'add' | 'delete'; address: string }[] {
  const op = 'add' in command ? 'add' : 'delete';
  const object = 'add' in command ? command.add : 'delete' in command ? command.delete : null;
  if (object === null || !('element' in object) || object.element.name !== set) return [];
  return object.element.elem.flatMap((element) => (typeof element === 'string' ? [{ op, address: element }] : []));
}
