import type { Cable, Family, Link, Network, Tunnel } from '../../rules/index.js';
import { contains, parseNetwork } from '../../rules/index.js';
import { GwmarkError } from '../errors.js';
import { IP_ROUTING } from '../routing/ip-routing.js';
import type { IpDevice } from '../routing/iproute.js';
import { ipJson } from '../routing/iproute.js';
import type { KernelRouting, MainRoute } from '../routing/kernel-routing.js';
import { readSysctl } from '../system/sysctl.js';
import { cableOf, readUntaggedVlans } from './cables.js';

/** One reading of the network devices of the namespace. */
export interface Devices {
  readonly links: readonly Link[];
  /** Every device without a link layer (ARPHRD_NONE): tunnels, ours among them; and those that a setting names. */
  readonly tunnels: readonly Tunnel[];
  /** Devices of `dev tap`: Ethernet devices that a program serves (tun(4)). */
  readonly taps: readonly string[];
  /** Devices that are up and in a VRF: not links. Default: none. */
  readonly vrfMembers?: readonly VrfMember[];
  /** Devices of the setting `devices` that are not links now, without VRF members. Default: none. */
  readonly unusable?: readonly UnusableDevice[];
  /** Devices of other VPNs that a setting names, and that cannot be tunnels now. Default: none. */
  readonly unusableTunnels?: readonly UnusableDevice[];
  /** Index and MTU of links and tunnels. Default: not read. */
  readonly numbers?: readonly DeviceNumbers[];
}

/** What changes when a device is recreated or reconfigured. */
export interface DeviceNumbers {
  readonly device: string;
  readonly index: number;
  readonly mtu: number;
  readonly isTunnel: boolean;
}

/** A device that a setting names, but that is not a link. */
export interface UnusableDevice {
  readonly device: string;
  /** Completes a sentence that begins with the device: `does not exist`. */
  readonly reason: string;
}

/** A device whose routes are in the table of a VRF. */
export interface VrfMember {
  readonly device: string;
  readonly vrf: string;
  /** The endpoint's own addresses on it. */
  readonly addresses: readonly string[];
}

/**
 * Reads devices and addresses.
 *
 * Links are Ethernet devices that are up and no part of a bridge or bond: those have their addresses on the master.
 *
 * @param wanted names from the setting `devices`; empty: every link
 * @param inline the setting: `off` makes a bridge a link like any other
 * @param named devices of other VPNs: GRE, SIT and PPP have link types of their own
 * @param routing by which routes are read
 * @throws GwmarkError DEVICE_UNKNOWN when a wanted device exists but is no Ethernet device. One that does not exist
 * (yet)
 *   is among `unusable`: it may appear later.
 */
export async function readDevices(
  wanted: readonly string[],
  inline: 'auto' | 'off' = 'auto',
  named: readonly string[] = [],
  routing: Pick<KernelRouting, 'mainRoutes'> = IP_ROUTING,
): Promise<Devices> {
  const devices = await ipJson<IpDevice>(['-d', 'addr', 'show']);
  for (const name of wanted) {
    const device = devices.find(({ ifname }) => ifname === name);
    if (device !== undefined && device.link_type !== 'ether') {
      throw new GwmarkError(
        'DEVICE_UNKNOWN',
        `devices: ${name} is not an Ethernet device (link type ${device.link_type})`,
      );
    }
  }
  const etherDevices = devices.filter(
    (device) => isLink(device) && (wanted.length === 0 || wanted.includes(device.ifname)),
  );
  const noneDevices = devices.filter(
    (device) =>
      device.flags.includes('UP') &&
      (device.link_type === 'none' || (named.includes(device.ifname) && !hasLinkLayer(device))),
  );
  const unusableTunnels = named.flatMap((name) =>
    whyNoTunnel(
      name,
      devices.find(({ ifname }) => ifname === name),
    ),
  );
  const routes = await routing.mainRoutes(noneDevices.map(({ ifname }) => ifname));
  const untagged = await readUntaggedVlans(devices);
  const vrfMembers = devices.flatMap((device) =>
    isVrfMember(device)
      ? [
          {
            device: device.ifname,
            vrf: device.master ?? '',
            addresses: addressesOf(device).map(({ host }) => host.address),
          },
        ]
      : [],
  );
  const tunnels: Tunnel[] = [];
  for (const device of noneDevices) {
    const tunnel = await toTunnel(
      device,
      routes.filter((route) => route.device === device.ifname),
    );
    if (tunnel !== null) tunnels.push(tunnel);
  }
  const unusable = wanted.flatMap((name) =>
    whyUnusable(
      name,
      devices.find(({ ifname }) => ifname === name),
    ),
  );
  return {
    ...(vrfMembers.length === 0 ? {} : { vrfMembers }),
    ...(unusable.length === 0 ? {} : { unusable }),
    ...(unusableTunnels.length === 0 ? {} : { unusableTunnels }),
    links: await Promise.all(
      etherDevices.map((device) =>
        toLink(
          device,
          routes.filter((route) => route.isOnlink && route.device === device.ifname),
          inline === 'off' ? null : cableOf(device, devices, untagged),
          inline,
        ),
      ),
    ),
    tunnels,
    numbers: [...etherDevices, ...noneDevices].map(({ ifname, ifindex, mtu }, position) => ({
      device: ifname,
      index: ifindex,
      mtu: mtu ?? 0,
      isTunnel: position >= etherDevices.length,
    })),
    taps: devices
      .filter(({ linkinfo }) => linkinfo?.info_kind === 'tun' && linkinfo.info_data?.type === 'tap')
      .map(({ ifname }) => ifname),
  };
}

function whyUnusable(name: string, device: IpDevice | undefined): UnusableDevice[] {
  if (device === undefined) return [{ device: name, reason: 'does not exist' }];
  if (isLink(device) || isVrfMember(device)) return [];
  if (!device.flags.includes('UP')) return [{ device: name, reason: 'is down' }];
  return [
    {
      device: name,
      reason:
        device.master === undefined
          ? 'is no card'
          : `is a part of ${device.master}, which has its addresses: name that instead`,
    },
  ];
}

function whyNoTunnel(name: string, device: IpDevice | undefined): UnusableDevice[] {
  if (device === undefined) return [{ device: name, reason: 'does not exist' }];
  if (device.link_type === 'loopback') return [{ device: name, reason: 'is the loopback device' }];
  if (hasLinkLayer(device))
    return [
      {
        device: name,
        reason: `is an Ethernet device (${device.linkinfo?.info_kind ?? 'a card'}): hosts behind it have their own MAC addresses, and ARP finds them`,
      },
    ];
  return device.flags.includes('UP') ? [] : [{ device: name, reason: 'is down' }];
}

/** Hosts on it have addresses of the link layer; a tunnel has none. */
function hasLinkLayer({ link_type: type }: IpDevice): boolean {
  return type === 'ether' || type === 'loopback';
}

function isLink(device: IpDevice): boolean {
  return (
    device.link_type === 'ether' &&
    device.flags.includes('UP') &&
    device.master === undefined &&
    device.linkinfo?.info_kind !== 'vrf'
  );
}

/** From `ip -d`: the master of a device in a VRF is that VRF's device, which is not a link itself. */
export function isVrfMember({ link_type, flags, linkinfo }: IpDevice): boolean {
  return link_type === 'ether' && flags.includes('UP') && linkinfo?.info_slave_kind === 'vrf';
}

/**
 * A host is on-link by the prefix of an address, or by a route: a DHCPv6 client has its address as /128, and a router
 * advertisement (RFC 4861, section 4.6.2) or an administrator says which prefix is on the link.
 */
async function toLink(
  device: IpDevice,
  routes: readonly MainRoute[],
  cable: Cable | null,
  inline: 'auto' | 'off',
): Promise<Link> {
  const addresses = addressesOf(device);
  const networks = [...addresses.map(({ network }) => network), ...networksOf(routes)];
  return {
    device: device.ifname,
    addresses: addresses.map(({ host }) => host.address),
    onlink: uniqueNetworks(networks.filter((network) => !isLinkLocal(network))),
    families: await familiesOf(device.ifname),
    ...(await readReversePathFilter(device.ifname)),
    isBridge: inline !== 'off' && device.linkinfo?.info_kind === 'bridge',
    ...(cable === null ? {} : { cable }),
  };
}

/** Null for a device that disappeared since it was listed. */
async function toTunnel(device: IpDevice, routes: readonly MainRoute[]): Promise<Tunnel | null> {
  if ((await readSysctl(`net/ipv4/conf/${device.ifname}/forwarding`)) === null) return null;
  const addresses = addressesOf(device).filter(({ host }) => !isLinkLocal(host));
  return {
    device: device.ifname,
    addresses: addresses.map(({ host }) => host),
    connected: uniqueNetworks(addresses.map(({ network }) => network)),
    families: await familiesOf(device.ifname),
    covered: networksOf(routes).filter((network) => !isLinkLocal(network)),
  };
}

/** Each once: a route to a tunnel may be one to what is on a link, too. */
function networksOf(routes: readonly MainRoute[]): Network[] {
  return uniqueNetworks(routes.map(({ dst }) => parseNetwork(dst)).filter((network) => network !== null));
}

function addressesOf(device: IpDevice): { host: Network; network: Network }[] {
  return (device.addr_info ?? []).flatMap(({ local, prefixlen }) => {
    const host = parseNetwork(local);
    const network = parseNetwork(`${local}/${prefixlen}`);
    return host === null || network === null ? [] : [{ host, network }];
  });
}

function uniqueNetworks(networks: readonly Network[]): Network[] {
  return [...new Map(networks.map((network) => [`${network.address}/${network.prefixLength}`, network])).values()];
}

function isLinkLocal(network: Network): boolean {
  return network.family === 6 && /^fe[89ab]/.test(network.address);
}

async function familiesOf(device: string): Promise<Family[]> {
  return (await readSysctl(`net/ipv6/conf/${device}/disable_ipv6`)) === '0' ? [4, 6] : [4];
}

/** The larger of the two values counts, and 2 is loose: ip-sysctl.rst, rp_filter. */
async function readReversePathFilter(
  device: string,
): Promise<Pick<Link, 'hasReversePathFilter' | 'isReversePathStrict'>> {
  const values = await Promise.all(['all', device].map((name) => readSysctl(`net/ipv4/conf/${name}/rp_filter`)));
  const value = Math.max(...values.map(Number));
  return { hasReversePathFilter: value > 0, ...(value === 1 ? { isReversePathStrict: true } : {}) };
}

/** The tunnels that carry one of these addresses: two servers may share a network. */
export function tunnelsWithAddress(devices: Devices, addresses: readonly string[]): readonly Tunnel[] {
  return devices.tunnels.filter((tunnel) => tunnel.addresses.some(({ address }) => addresses.includes(address)));
}

/** One of the links or tunnels has this name. */
export function hasDevice({ links, tunnels }: Devices, name: string): boolean {
  return [...links, ...tunnels].some(({ device }) => device === name);
}

/** The tunnel device that main leads an address to, else the first; empty without a tunnel. */
export function tunnelTowards({ tunnels }: Devices, address: string): string {
  const host = parseNetwork(address);
  const tunnel = tunnels.find(({ covered }) => host !== null && covered.some((network) => contains(network, host)));
  return (tunnel ?? tunnels[0])?.device ?? '';
}

/** The family of an address in canonical text. */
export function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}
