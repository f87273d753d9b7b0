import type { Family } from '../../rules/index.js';
import type { IpNeighbour } from './iproute.js';
import { ipBatch } from './iproute.js';

/** What makes the kernel ask for an address. */
export interface NeighbourQuestion {
  readonly family: Family;
  readonly address: string;
  readonly device: string;
  /**
   * `use`: by broadcast or multicast if the kernel does not know it. The others set the state of an entry: `probe` asks
   * the machine that has the address, by unicast.
   */
  readonly how: 'use' | 'stale' | 'probe' | 'failed';
  /** The entry is that of a router, and stays so (NEIGH_UPDATE_F_OVERRIDE_ISROUTER). */
  readonly isRouter: boolean;
}

/** Makes the kernel ask for an address, by broadcast or multicast if it does not know it. */
export function resolveQuestion(device: string, address: string): NeighbourQuestion {
  return { family: familyOf(address), address, device, how: 'use', isRouter: false };
}

/** Sets the state of an entry: `probe` asks the machine that has the address, by unicast. */
export function stateQuestion(
  device: string,
  neighbour: Pick<IpNeighbour, 'dst'>,
  state: 'stale' | 'probe' | 'failed',
): NeighbourQuestion {
  const { dst: address } = neighbour;
  return { family: familyOf(address), address, device, how: state, isRouter: 'router' in neighbour };
}

/** What an administrator or a routing daemon entered is left as it is. */
export function mayBeAsked(neighbour: IpNeighbour): boolean {
  return !neighbour.state.includes('PERMANENT') && !('extern_learn' in neighbour);
}

/** Asks by spawned `ip`. An entry that is gone, or whose device is, is no failure: there is nobody to ask then. */
export async function ask(questions: readonly NeighbourQuestion[]): Promise<void> {
  for (const family of [4, 6] as const)
    await ipBatch(family, questions.filter((question) => question.family === family).map(questionLine), /./);
}

/** As a line of `ip -batch`. */
export function questionLine({ address, device, how, isRouter }: NeighbourQuestion): string {
  return how === 'use'
    ? `neigh replace ${address} dev ${device} use`
    : `neigh change ${address} dev ${device} nud ${how}${isRouter ? ' router' : ''}`;
}

/** Of an address in text. */
export function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}
