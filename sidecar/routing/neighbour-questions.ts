import type { IpNeighbour } from './iproute.js';
import { ipBatch } from './iproute.js';

/** A line of `ip -batch` that makes the kernel ask for an address. */
export interface NeighbourQuestion {
  readonly address: string;
  readonly line: string;
}

/** Makes the kernel ask for an address, by broadcast or multicast if it does not know it. */
export function resolveQuestion(device: string, address: string): NeighbourQuestion {
  return { address, line: `neigh replace ${address} dev ${device} use` };
}

/** Sets the state of an entry: `probe` asks the machine that has the address, by unicast. */
export function stateQuestion(
  device: string,
  neighbour: Pick<IpNeighbour, 'dst'>,
  state: 'stale' | 'probe' | 'failed',
): NeighbourQuestion {
  // Without the word, the kernel would take the flag away (NEIGH_UPDATE_F_OVERRIDE_ISROUTER).
  const router = 'router' in neighbour ? ' router' : '';
  return { address: neighbour.dst, line: `neigh change ${neighbour.dst} dev ${device} nud ${state}${router}` };
}

/** What an administrator or a routing daemon entered is left as it is. */
export function mayBeAsked(neighbour: IpNeighbour): boolean {
  return !neighbour.state.includes('PERMANENT') && !('extern_learn' in neighbour);
}

/** Asks. An entry that is gone, or whose device is, is no failure: there is nobody to ask then. */
export async function ask(questions: readonly NeighbourQuestion[]): Promise<void> {
  for (const family of [4, 6] as const) {
    const lines = questions.filter(({ address }) => address.includes(':') === (family === 6)).map(({ line }) => line);
    await ipBatch(family, lines, /./);
  }
}
