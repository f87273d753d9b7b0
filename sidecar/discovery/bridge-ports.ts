import { ipJson } from '../routing/iproute.js';

/** A port of a bridge that is up. */
export interface BridgePort {
  readonly device: string;
  readonly bridge: string;
  /** Of STP, in words of iproute2; a bridge takes frames in only where it is `forwarding`. */
  readonly state: string;
  /** Takes no frames from senders that nobody let in (802.1X). */
  readonly isLocked: boolean;
}

/** What `ip -j -d link show` prints of a device. */
export interface PortDetails {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly master?: string;
  readonly linkinfo?: {
    readonly info_slave_kind?: string;
    readonly info_slave_data?: { readonly state?: string; readonly locked?: boolean };
  };
}

/** @throws GwmarkError ROUTING_UNAVAILABLE, ROUTING_FAILED */
export async function readBridgePorts(): Promise<readonly BridgePort[]> {
  return bridgePortsOf(await ipJson<PortDetails>(['-d', 'link', 'show']));
}

/** Pure. */
export function bridgePortsOf(devices: readonly PortDetails[]): readonly BridgePort[] {
  return devices
    .filter(({ flags, linkinfo }) => linkinfo?.info_slave_kind === 'bridge' && flags.includes('UP'))
    .map(({ ifname, master, linkinfo }) => ({
      device: ifname,
      bridge: master ?? '',
      state: linkinfo?.info_slave_data?.state ?? 'forwarding',
      isLocked: linkinfo?.info_slave_data?.locked === true,
    }));
}
