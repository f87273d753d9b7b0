import { optionOf } from '../../discovery/openvpn-options.js';
import { routeOf } from '../../routing/route-question.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';
import type { ServerView } from '../server-view.js';
import type { System } from '../system.js';

interface Facts {
  /** The server, by its management endpoint. */
  readonly name: string;
  readonly family: 4 | 6;
  /** Addresses of the endpoint in that family, except those of tunnels and loopback. */
  readonly addresses: readonly string[];
  /**
   * The source, and its device, that the kernel chooses for answers to distant hosts; null if it has no route yet.
   */
  readonly chosen: { readonly address: string; readonly device: string } | null;
  /** Its option `multihome`; null if its options cannot be read. */
  readonly isMultihome: boolean | null;
}

/**
 * Addresses that no route but a default one leads to: 240.0.0.0/4 is reserved (RFC 1112, section 4), 3fff::/20 for
 * documentation (RFC 9637). Nothing is sent there.
 */
const FAR_AWAY = { 4: '240.0.0.1', 6: '3fff::1' } as const;

/** A server over UDP answers from the address that its client sent to. */
export const udpSource: Check = {
  name: 'udp-source',
  doc: 'An OpenVPN server over UDP that is bound to no address answers from the address that its client sent to: the endpoint has one address of that family, and its route to distant clients uses it; or the server has `multihome`. Otherwise the kernel chooses the source by its route, and the client, NAT and conntrack do not recognise the answer.',
  needsNetAdmin: false,
  look: async (system) => {
    const servers = await system.servers();
    const addresses = await addressesOf(system);
    const questions = servers.flatMap((server) => familiesOf(server).map((family) => ({ server, family })));
    return Promise.all(
      questions.map(async ({ server, family }) =>
        judgeUdpSource({
          name: server.name,
          family,
          addresses: addresses[family],
          chosen: await chosenSource(family, portOf(server)),
          isMultihome: isMultihome(server),
        }),
      ),
    );
  },
};

export function judgeUdpSource({ name, family, addresses, chosen, isMultihome: is }: Facts): Judgement {
  const subject = `UDP over IPv${family} of ${name}`;
  const expected = 'one address, or local, or multihome';
  const many = `bound to no address; the endpoint has ${addresses.length} IPv${family} addresses`;
  const isElsewhere = chosen !== null && !addresses.includes(chosen.address);
  if (addresses.length < 2 && !isElsewhere) return fine(subject, many, expected);
  if (is === true) return fine(subject, `${many}, and multihome`, expected);
  const leads = isElsewhere
    ? `; its replies to distant clients leave by ${chosen.device}, with the source address ${chosen.address}`
    : '';
  return {
    severity: is === null ? 'info' : 'warn',
    subject,
    found: `${many} (${addresses.join(', ')})${leads}${is === null ? ', and its option multihome cannot be read' : ', and no multihome'}: a client that connects to another address than the kernel chooses gets its answers from the wrong one`,
    expected,
    remedy: "in OpenVPN's configuration: local ADDRESS, with the address that clients connect to, or multihome",
  };
}

/** Families in which a server serves UDP on every address; of one that no sidecar reports, by its options. */
function familiesOf({ reported, options }: ServerView): readonly (4 | 6)[] {
  if (reported !== null && reported.transport.length > 0) {
    const unbound = reported.transport
      .filter(({ protocol, address }) => protocol === 'udp' && (address === '0.0.0.0' || address === '::'))
      .map(({ address }) => address);
    // A socket that is bound to :: also accepts IPv4, unless IPV6_V6ONLY is set.
    return unbound.includes('::') ? [4, 6] : unbound.length > 0 ? [4] : [];
  }
  if (options === null || ['local', 'client', 'tls-client'].some((name) => optionOf(options, name) !== undefined))
    return [];
  const protocol = optionOf(options, 'proto')?.values[0] ?? 'udp';
  if (!protocol.startsWith('udp')) return [];
  return protocol.endsWith('6') ? [4, 6] : [4];
}

function isMultihome({ options }: ServerView): boolean | null {
  return options === null ? null : optionOf(options, 'multihome') !== undefined;
}

/** The UDP port that answers come from; 1194 is OpenVPN's default. */
function portOf({ reported, options }: ServerView): number {
  const known = reported?.transport.find(({ protocol }) => protocol === 'udp')?.port;
  const configured = options === null ? undefined : (optionOf(options, 'lport') ?? optionOf(options, 'port'));
  return known ?? (Number(configured?.values[0]) || 1194);
}

/**
 * Asks the kernel as for a socket that is bound to no address. A default route over a tunnel, or over a device without
 * an address, gives it a source that no client dialled.
 */
async function chosenSource(family: 4 | 6, port: number): Promise<Facts['chosen']> {
  const transport = { protocol: 'udp', address: null, families: [family], port } as const;
  const answer = await routeOf({ to: FAR_AWAY[family], from: null, iif: null, mark: 0, transport });
  if ('refused' in answer) return null;
  const { prefsrc, dev } = answer.route;
  return prefsrc === undefined || dev === undefined ? null : { address: prefsrc, device: dev };
}

async function addressesOf(system: System): Promise<Record<4 | 6, readonly string[]>> {
  const devices = (await system.devices()).filter(
    ({ link_type: type, flags }) => type !== 'none' && type !== 'loopback' && flags.includes('UP'),
  );
  const all = devices.flatMap(({ addr_info = [] }) =>
    addr_info.filter(({ scope }) => scope === 'global').map(({ local }) => local),
  );
  return { 4: all.filter((address) => !address.includes(':')), 6: all.filter((address) => address.includes(':')) };
}
