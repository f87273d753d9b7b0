import type { Transport } from '../../rules/index.js';
import type { Devices } from '../discovery/devices.js';
import type { Logger } from '../log/logger.js';

/** Cards that are in a VRF, on which no gateway can be learnt: says so once, and whether the VPN needs one of them. */
export class VrfWatch {
  readonly #logger: Logger;
  #told = '';
  #problem: string | null = null;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Null where no card of the VPN is in a VRF. */
  get problem(): string | null {
    return this.#problem;
  }

  /** @param wanted the setting `devices`; empty: every card */
  look(devices: Devices, wanted: readonly string[], transports: readonly Transport[]): void {
    const { vrfMembers = [] } = devices;
    this.#problem = vrfProblem(devices, wanted, transports);
    const text = vrfMembers.map(({ device, vrf }) => `${device} in ${vrf}`).join(', ');
    if (text !== this.#told && text !== '') this.#logger.warn('device.in_vrf', { devices: text });
    this.#told = text;
  }
}

/** A VRF has routing tables of its own, which a socket of OpenVPN and rules of gwmark do not look into. Pure. */
export function vrfProblem({ links, vrfMembers = [] }: Devices, wanted: readonly string[], transports: readonly Transport[]): string | null {
  const member =
    vrfMembers.find(({ device }) => wanted.includes(device)) ??
    vrfMembers.find(({ addresses }) => transports.some(({ address }) => address !== null && addresses.includes(address))) ??
    (links.length === 0 ? vrfMembers[0] : undefined);
  return member === undefined ? null : `${member.device} is in VRF ${member.vrf}, which gwmark does not serve: no gateway is learnt on it`;
}
