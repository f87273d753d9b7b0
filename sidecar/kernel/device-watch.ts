import type { Transport } from '../../rules/index.js';
import type { Devices } from '../discovery/devices.js';
import type { Logger } from '../log/logger.js';

/**
 * Cards on which no gateway can be learnt: in a VRF, or named by a setting and no link. Says so once, and whether the
 * VPN needs one of them.
 */
export class DeviceWatch {
  readonly #logger: Logger;
  #toldVrfs = '';
  #toldUnusable = '';
  #problem: string | null = null;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** In one sentence; null if every device of the VPN is usable. */
  get problem(): string | null {
    return this.#problem;
  }

  /** @param wanted the setting `devices`; empty: every device */
  look(devices: Devices, wanted: readonly string[], transports: readonly Transport[]): void {
    const { vrfMembers = [], unusable = [] } = devices;
    this.#problem = vrfProblem(devices, wanted, transports) ?? unusableProblem(devices);
    const text = vrfMembers.map(({ device, vrf }) => `${device} in ${vrf}`).join(', ');
    if (text !== this.#toldVrfs && text !== '') this.#logger.warn('device.in_vrf', { devices: text });
    this.#toldVrfs = text;
    const named = unusable.map(({ device, reason }) => `${device} ${reason}`).join(', ');
    if (named !== this.#toldUnusable && named !== '') this.#logger.warn('device.unusable', { devices: named });
    this.#toldUnusable = named;
  }
}

/** A VRF has routing tables of its own, which a socket of OpenVPN and rules of gwmark do not look into. Pure. */
export function vrfProblem(
  { links, vrfMembers = [] }: Devices,
  wanted: readonly string[],
  transports: readonly Transport[],
): string | null {
  const member =
    vrfMembers.find(({ device }) => wanted.includes(device)) ??
    vrfMembers.find(({ addresses }) =>
      transports.some(({ address }) => address !== null && addresses.includes(address)),
    ) ??
    (links.length === 0 ? vrfMembers[0] : undefined);
  return member === undefined
    ? null
    : `${member.device} is in VRF ${member.vrf}, which gwmark does not support: it learns no gateway on it`;
}

/** A device that the setting `devices` names, and on which no gateway is learnt. Pure. */
export function unusableProblem({ unusable = [] }: Pick<Devices, 'unusable'>): string | null {
  const [first] = unusable;
  return first === undefined ? null : `devices: ${first.device} ${first.reason}, so gwmark learns no gateway on it`;
}
