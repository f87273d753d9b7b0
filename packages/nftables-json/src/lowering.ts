/**
 * Commands as this nft understands them: resolves the differences between versions of libnftables.
 *
 * The result knows from which of the caller's commands each line came, so that errors can name it.
 */
import type { Command, DestroyObject } from './command.js';
import { NftError } from './nft-error.js';
import type { Features } from './nftables.js';
import type { NftMap, NftSet, SetFlag } from './objects.js';

export interface Lowered {
  /** The whole input of libnftables; empty if nothing is left to do. */
  readonly input: string;
  /** For each command of the input the index of the caller's command. */
  readonly origin: readonly number[];
}

/** True if the commands cannot be lowered without knowing the features. */
export function needsFeatures(commands: readonly Command[]): boolean {
  return commands.some(
    (command) =>
      'destroy' in command ||
      ('add' in command && hasDynamicFlag(command.add)) ||
      ('create' in command && hasDynamicFlag(command.create)),
  );
}

/**
 * @param features undefined if needsFeatures() is false
 * @throws NftError EOPNOTSUPP or EINVAL for what this nft cannot do
 */
export function lower(commands: readonly Command[], features: Features | undefined): Lowered {
  const lines: object[] = [];
  const origin: number[] = [];
  for (const [index, command] of commands.entries()) {
    if ('reset' in command && commands.length > 1) {
      throw new NftError('EINVAL', 'reset is no part of a transaction in nftables: run it alone', { index, command });
    }
    for (const line of lowerCommand(command, index, features)) {
      lines.push(line);
      origin.push(index);
    }
  }
  return { input: lines.length === 0 ? '' : JSON.stringify({ nftables: lines }), origin };
}

function lowerCommand(command: Command, index: number, features: Features | undefined): readonly object[] {
  if ('add' in command || 'create' in command) {
    const object = 'add' in command ? command.add : command.create;
    if ('element' in object) {
      return withElements(command, object.element.elem);
    }
    if ('set' in object || 'map' in object) {
      const definition =
        'set' in object
          ? { set: lowerDefinition(object.set, index, command, features) }
          : { map: lowerDefinition(object.map, index, command, features) };
      return ['add' in command ? { add: definition } : { create: definition }];
    }
    return [command];
  }
  if ('delete' in command) {
    return 'element' in command.delete ? withElements(command, command.delete.element.elem) : [command];
  }
  if ('destroy' in command) {
    const object = command.destroy;
    if ('element' in object && object.element.elem.length === 0) {
      return [];
    }
    return features?.destroy === true ? [command] : [{ add: withoutState(object) }, { delete: object }];
  }
  return [command];
}

/** libnftables refuses an empty list of elements ("Invalid set"); to us it means nothing to do. */
function withElements(command: Command, elements: readonly unknown[]): readonly object[] {
  return elements.length === 0 ? [] : [command];
}

/**
 * nft 1.0.6 passes over `flags` that are no list without a word, refuses the flag `dynamic` (parser_json.c
 * string_to_set_flag) and an empty list of elements.
 */
function lowerDefinition(
  definition: NftSet | NftMap,
  index: number,
  command: Command,
  features: Features | undefined,
): object {
  const { elem, flags, ...rest } = definition;
  let flagList = flagsOf(flags);
  if (flagList.includes('dynamic') && features?.jsonDynamicFlag !== true) {
    if (!flagList.includes('timeout')) {
      const name = `${definition.table} ${definition.name}`;
      throw new NftError(
        'EOPNOTSUPP',
        `set ${name}: this nft takes the flag dynamic in JSON only together with timeout`,
        {
          index,
          command,
        },
      );
    }
    flagList = flagList.filter((flag) => flag !== 'dynamic');
  }
  return {
    ...rest,
    ...(flagList.length > 0 ? { flags: flagList } : {}),
    ...(elem !== undefined && elem.length > 0 ? { elem } : {}),
  };
}

/** What `add` needs so that there is an object to delete; more could contradict an existing one. */
function withoutState(object: DestroyObject): object {
  if ('chain' in object) {
    const { family, table, name } = object.chain;
    return { chain: { family, table, name } };
  }
  if ('table' in object) {
    return { table: { family: object.table.family, name: object.table.name } };
  }
  if ('set' in object) {
    return { set: plainDefinition(object.set) };
  }
  return 'map' in object ? { map: plainDefinition(object.map) } : object;
}

function plainDefinition({ elem: _elem, flags, ...rest }: NftSet | NftMap): object {
  const flagList = flagsOf(flags).filter((flag) => flag !== 'dynamic');
  return flagList.length > 0 ? { ...rest, flags: flagList } : rest;
}

function hasDynamicFlag(object: object): boolean {
  if ('set' in object || 'map' in object) {
    // Only NftObject has these properties.
    const definition = ('set' in object ? object.set : object.map) as NftSet | NftMap;
    return flagsOf(definition.flags).includes('dynamic');
  }
  return false;
}

function flagsOf(flags: SetFlag | readonly SetFlag[] | undefined): readonly SetFlag[] {
  if (flags === undefined) {
    return [];
  }
  return typeof flags === 'string' ? [flags] : flags;
}
