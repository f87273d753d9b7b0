import type { Family, Network } from '../../../rules/index.js';
import { addressBits, contains, formatNetwork, linksAround } from '../../../rules/index.js';
import { readDevices } from '../../discovery/devices.js';
import { usableNeighbours } from '../../routing/neighbours.js';
import { type ProxyNeighbour, readProxyNeighbours } from '../../routing/proxy-neighbours.js';
import type { AnnouncementStatus, StatusDocument } from '../../status.js';
import { readSysctl } from '../../system/sysctl.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';
import type { System } from '../system.js';

/** A network of a tunnel inside the network of a link: hosts there ask with ARP or ND for addresses of it. */
interface Inside {
  readonly network: Network;
  readonly tunnel: string;
  readonly link: string;
  /** The tunnel of an OpenVPN client. */
  readonly isOfClient: boolean;
  /** The endpoint answers for some address of it, by whatever was set up. */
  readonly isAnswered: boolean;
}

interface Facts {
  /** `announce: proxy` */
  readonly isProxy: boolean;
  readonly inside: readonly Inside[];
  /** Links on which the kernel does not answer ND for proxy neighbours. */
  readonly withoutProxyNdp: readonly string[];
  /** Of the running sidecar; null without one. */
  readonly announcements: AnnouncementStatus | null;
  /** Neighbours on these links with an address of these networks, that no client has. */
  readonly strays: readonly Stray[];
}

/** A host whose address lies in the network of a tunnel: packets for it enter the tunnel. */
interface Stray {
  readonly address: string;
  readonly mac: string;
  readonly link: string;
  readonly tunnel: string;
}

/** The endpoint answers ARP and ND for clients whose addresses lie in the network of a link. */
export const announce: Check = {
  name: 'announce',
  doc: "If addresses of clients lie in the network of a link, the endpoint answers ARP and neighbour discovery for them there (`announce: proxy`, or another program's proxy ARP). No host has another address of the tunnel's network. With `announce: proxy`: no other host has the address of a client, no subnet behind a client is too large to announce, IPv6 has `proxy_ndp`, and the sidecar can send gratuitous ARP.",
  needsNetAdmin: false,
  look: async (system) => {
    const status = await system.status().catch(() => null);
    const inside = await findInside(system);
    return judgeAnnouncing({
      isProxy: system.settings.announce === 'proxy',
      inside,
      withoutProxyNdp: status === null ? [] : await findWithoutProxyNdp(inside),
      announcements: status?.announcements ?? null,
      strays: await findStrays(inside, status),
    });
  },
};

export function judgeAnnouncing(facts: Facts): readonly Judgement[] {
  const { isProxy, inside, withoutProxyNdp, announcements } = facts;
  const ofServers = inside.filter(({ isOfClient }) => !isOfClient);
  const strays = facts.strays.map(judgeStray);
  if (!isProxy) return [...ofServers.map(judgeInside), ...strays];
  const taken = (announcements?.taken ?? []).map(({ address, device, mac }): Judgement => ({
    severity: 'error',
    subject: `${address} on ${device}`,
    found: `a client has it, and so has the host ${mac}; gwmark does not announce it`,
    expected: 'an address that no other host has',
    remedy: 'give the host another address, or leave its address out of those that OpenVPN gives to clients',
  }));
  const omitted = (announcements?.omitted ?? []).map(({ network, device }): Judgement => ({
    severity: 'warn',
    subject: `${network} on ${device}`,
    found: 'not announced: it has more than 256 addresses',
    expected: 'a subnet of up to 256 addresses, or routes to it',
    remedy: `give hosts and routers on ${device} a route to ${network} via this endpoint`,
  }));
  const sysctls = withoutProxyNdp.map((device): Judgement => ({
    severity: 'error',
    subject: `net.ipv6.conf.${device}.proxy_ndp`,
    found: '0: the kernel does not answer neighbour discovery for clients',
    expected: '1',
    remedy: `sysctl -w net.ipv6.conf.${device}.proxy_ndp=1 (in a container: from outside, net.ipv6.conf.all.proxy_ndp=1)`,
  }));
  const found = [
    ...taken,
    ...omitted,
    ...sysctls,
    ...strays,
    ...judgeSilence(announcements),
    ...inside.flatMap(judgeClient),
  ];
  if (found.some(({ severity }) => severity !== 'info')) return found;
  return [...found, judgeWhole(ofServers, announcements)];
}

function judgeWhole(inside: readonly Inside[], announcements: AnnouncementStatus | null): Judgement {
  const subject = 'announce: proxy';
  if (inside.length === 0)
    return {
      severity: 'info',
      subject,
      found: 'no network of a tunnel lies in the network of a link: nothing is announced',
      expected: 'clients with addresses in the network of a link (server 192.0.2.128 255.255.255.128)',
      remedy: 'none needed if routers have routes to the clients',
    };
  if (announcements === null) return fine(subject, 'gwmark run will announce the clients');
  return fine(subject, `${announcements.announced} announced, no other host has one of these addresses`);
}

function judgeInside({ network, tunnel, link, isAnswered }: Inside): Judgement {
  const subject = `${formatNetwork(network)} on ${tunnel}`;
  if (isAnswered) return fine(subject, `the endpoint answers for addresses of it on ${link}`);
  return {
    severity: 'warn',
    subject,
    found: `it lies in the network of ${link}, and the endpoint does not answer ARP or neighbour discovery for clients there`,
    expected: 'answers for clients, or routes to them on every host and router of that network',
    remedy: 'set announce: proxy',
  };
}

function judgeStray({ address, mac, link, tunnel }: Stray): Judgement {
  return {
    severity: 'error',
    subject: `${address} on ${link}`,
    found: `the host ${mac} has it, but the endpoint routes it to ${tunnel}: nothing from the endpoint reaches that host`,
    expected: `no host with an address of ${tunnel}'s network`,
    remedy: 'give the host another address, or OpenVPN a smaller network',
  };
}

function judgeClient({ network, tunnel, link, isOfClient }: Inside): readonly Judgement[] {
  if (!isOfClient) return [];
  return [
    {
      severity: 'info',
      subject: `${formatNetwork(network)} on ${tunnel}`,
      found: `not announced on ${link}: it is the tunnel of an OpenVPN client, and nobody says which of its addresses exist`,
      expected: 'routes to it',
      remedy: `give hosts and routers on ${link} a route to it via this endpoint`,
    },
  ];
}

function judgeSilence(announcements: AnnouncementStatus | null): readonly Judgement[] {
  const silent = announcements?.silent;
  if (silent === undefined) return [];
  return [
    {
      severity: 'info',
      subject: 'gratuitous ARP',
      found: `not sent: ${silent}; a host with an old MAC address for a client keeps it until its entry expires`,
      expected: 'sent when a client connects',
      remedy: 'give the service or the container CAP_NET_RAW, see the guide one-arm',
    },
  ];
}

async function findInside(system: System): Promise<readonly Inside[]> {
  const { settings } = system;
  const status = await system.status().catch(() => null);
  const { links, tunnels } = await readDevices(settings.devices);
  const clients = new Set(
    (status?.servers ?? []).flatMap(({ role, device }) => (role === 'client' && device !== null ? [device] : [])),
  );
  const found = tunnels.flatMap(({ device: tunnel, covered }) =>
    covered.flatMap((network) =>
      linksAround(network, links).map(({ device: link }) => ({
        network,
        tunnel,
        link,
        isOfClient: clients.has(tunnel),
      })),
    ),
  );
  if (found.length === 0) return [];
  const proxies = await readProxyNeighbours(settings.routing.protocol);
  return Promise.all(
    found.map(async (each) => ({ ...each, isAnswered: hasProxy(each, proxies) || (await hasProxyArp(each)) })),
  );
}

function hasProxy({ network, link }: Pick<Inside, 'network' | 'link'>, proxies: readonly ProxyNeighbour[]): boolean {
  return proxies.some(({ address, device }) => device === link && contains(network, hostNetwork(address)));
}

/** The kernel then answers ARP for whatever it routes elsewhere; IPv6 has nothing like it. */
async function hasProxyArp({ network: { family }, link }: Pick<Inside, 'network' | 'link'>): Promise<boolean> {
  if (family === 6) return false;
  return isOn(4, link, 'proxy_arp');
}

async function findStrays(inside: readonly Inside[], status: StatusDocument | null): Promise<readonly Stray[]> {
  if (inside.length === 0) return [];
  const known = new Set([
    ...(status?.clients.flatMap(({ addresses }) => addresses) ?? []),
    ...(status?.announcements?.taken.map(({ address }) => address) ?? []),
  ]);
  return (await usableNeighbours()).flatMap(({ dst, dev, lladdr }) => {
    const around = inside.find(({ network, link }) => link === dev && contains(network, hostNetwork(dst)));
    return around === undefined || lladdr === undefined || known.has(dst)
      ? []
      : [{ address: dst, mac: lladdr, link: dev, tunnel: around.tunnel }];
  });
}

function hostNetwork(address: string): Network {
  const family = address.includes(':') ? 6 : 4;
  return { family, address, prefixLength: addressBits(family) };
}

async function findWithoutProxyNdp(inside: readonly Inside[]): Promise<readonly string[]> {
  const links = [...new Set(inside.flatMap(({ network, link }) => (network.family === 6 ? [link] : [])))];
  const judged = await Promise.all(links.map(async (link) => ((await isOn(6, link, 'proxy_ndp')) ? [] : [link])));
  return judged.flat();
}

/** Of the device, or of all. */
async function isOn(family: Family, device: string, name: string): Promise<boolean> {
  const values = await Promise.all(['all', device].map((each) => readSysctl(`net/ipv${family}/conf/${each}/${name}`)));
  return values.includes('1');
}
