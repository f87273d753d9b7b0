import type { Tunnel } from '../../rules/index.js';
import type { Devices } from '../discovery/devices.js';

/** The device of a source, by the name that the settings give: there, or why it cannot be used. */
export type SourcePlace = { readonly tunnel: Tunnel } | { readonly problem: string };

/** Finds a device. It may come later, go and come again; one that is renamed is gone. Pure. */
export function placeOf(device: string, { tunnels, unusableTunnels = [] }: Devices): SourcePlace {
  const tunnel = tunnels.find((each) => each.device === device);
  if (tunnel !== undefined) return { tunnel };
  const reason = unusableTunnels.find((each) => each.device === device)?.reason ?? 'does not exist';
  return { problem: `the device ${device} ${reason}` };
}
