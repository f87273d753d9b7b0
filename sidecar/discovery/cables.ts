import type { Cable, CablePort } from '../../rules/index.js';
import type { IpDevice } from '../routing/iproute.js';
import { exec } from '../system/exec.js';

/** For each device of a bridge that keeps VLANs apart, and the bridge itself: the VLAN of its untagged frames. */
export type UntaggedVlans = ReadonlyMap<string, number>;

/** What `bridge -j vlan show` prints of one device. */
interface VlanMember {
  readonly ifname: string;
  readonly vlans?: readonly { readonly vlan: number; readonly flags?: readonly string[] }[];
}

/**
 * Reads which VLAN untagged frames are in; nothing is read where no bridge keeps VLANs apart. Without the program
 * `bridge`, the map is empty.
 */
export async function readUntaggedVlans(devices: readonly IpDevice[]): Promise<UntaggedVlans> {
  if (!devices.some(keepsVlansApart)) return new Map();
  const { exitCode, stdout } = await exec('bridge', ['-j', 'vlan', 'show']).catch(() => ({ exitCode: 1, stdout: '' }));
  if (exitCode !== 0 || stdout.trim() === '') return new Map();
  // The parse border: the shape is iproute2's.
  const members = JSON.parse(stdout) as readonly VlanMember[];
  return new Map(
    members.flatMap(({ ifname, vlans = [] }) => {
      const own = vlans.find(({ flags = [] }) => flags.includes('PVID') && flags.includes('Egress Untagged'));
      return own === undefined ? [] : [[ifname, own.vlan] as const];
    }),
  );
}

/**
 * The bridge below a link: the link itself, or the one that its VLAN device is on. Null if there is none.
 *
 * Where a bridge keeps VLANs apart, only ports that have untagged frames in the bridge's own untagged VLAN count; a
 * VLAN device on such a bridge gets no frames.
 */
export function cableOf(link: IpDevice, devices: readonly IpDevice[], untagged: UntaggedVlans): Cable | null {
  const mac = link.address;
  const { info_kind: kind, info_data: data } = link.linkinfo ?? {};
  const bridge = kind === 'vlan' ? devices.find(({ ifname }) => ifname === link.link) : link;
  if (mac === undefined || bridge?.linkinfo?.info_kind !== 'bridge') return null;
  const vlan = kind === 'vlan' ? data?.id : null;
  if (vlan === undefined || (vlan !== null && (data?.protocol !== '802.1Q' || keepsVlansApart(bridge)))) return null;
  const ports = devices
    .filter(({ master, linkinfo }) => master === bridge.ifname && linkinfo?.info_slave_kind === 'bridge')
    .filter(({ ifname }) => !keepsVlansApart(bridge) || isWithBridge(ifname, bridge.ifname, untagged))
    .flatMap(({ ifname, address }): CablePort[] => (address === undefined ? [] : [{ device: ifname, mac: address }]))
    .toSorted((a, b) => (a.device < b.device ? -1 : 1));
  return { mac, ports, vlan };
}

/** True of a bridge with `vlan_filtering 1`. */
export function keepsVlansApart({ linkinfo }: Pick<IpDevice, 'linkinfo'>): boolean {
  return linkinfo?.info_kind === 'bridge' && linkinfo.info_data?.vlan_filtering === 1;
}

function isWithBridge(port: string, bridge: string, untagged: UntaggedVlans): boolean {
  const vlan = untagged.get(bridge);
  return vlan !== undefined && untagged.get(port) === vlan;
}
