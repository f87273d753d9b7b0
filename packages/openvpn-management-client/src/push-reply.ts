import { canonicalAddress, parseClientAddress, type ClientAddress } from './client-address.js';

/** What a server pushed to a client that leads into the tunnel. */
export interface PushedNetworks {
  /** `route` and `route-ipv6`, those to the VPN's gateway only, each once, in the order in which they came. */
  readonly routes: readonly ClientAddress[];
  /**
   * `ifconfig` and `ifconfig-ipv6`: the networks of the client's own addresses; under `topology net30` and `p2p` its
   * peer alone.
   */
  readonly own: readonly ClientAddress[];
  /** `redirect-gateway`: everything else shall go through the tunnel too. */
  readonly redirectsGateway: boolean;
  /** There were more routes than {@link MAX_PUSHED_ROUTES}; the rest is ignored. */
  readonly isCut: boolean;
}

/** More than any configuration has; a server that pushes without end must not fill our memory. */
export const MAX_PUSHED_ROUTES = 4096;

const RECEIVED = "PUSH: Received control message: 'PUSH_REPLY,";
const REMOVED = "Pushed option removed by filter: '";
const REFUSED = /^Options error: option '([a-z0-9-]{1,64})' cannot be used in this context \(\[PUSH-OPTIONS\]\)$/;

/**
 * Collects what a server pushes from the log of an OpenVPN client, line by line. A reply may come in several pieces
 * (`push-continuation 2`); what `pull-filter` removes and `route-nopull` refuses is left out, as OpenVPN leaves it
 * out.
 *
 * The lines are there from `verb 3` on. Text of the log is taken for nothing but addresses: it has a server's words in
 * it.
 *
 * @see push.c incoming_push_message and process_incoming_push_reply, options.c apply_push_options, OpenVPN 2.6.14
 */
export class PushReplyReader {
  #options = new Set<string>();
  #refused = new Set<string>();
  #isCut = false;
  #isContinued = false;
  #hasReply = false;

  /** Takes a line of the log, without time and flags. Lines that say nothing of pushed options change nothing. */
  push(text: string): void {
    if (text.startsWith(RECEIVED)) this.#piece(text.slice(RECEIVED.length, text.endsWith("'") ? -1 : undefined));
    else if (text.startsWith(REMOVED)) this.#options.delete(text.slice(REMOVED.length, -1));
    else {
      const refused = text.startsWith('Options error') ? REFUSED.exec(text)?.[1] : undefined;
      if (refused !== undefined) this.#refused.add(refused);
    }
  }

  /** The options of the latest reply; undefined if none was seen since the start or the last `reset`. */
  get networks(): PushedNetworks | undefined {
    if (!this.#hasReply) return undefined;
    const options = [...this.#options]
      .map((option) => option.split(' '))
      .filter(([keyword = '']) => !this.#refused.has(keyword));
    const valueOf = (keyword: string): string | undefined => options.find(([word]) => word === keyword)?.[1];
    const gateways = new Set(['vpn_gateway', 'default', '', valueOf('route-gateway') ?? '']);
    const routes = options.flatMap((option) => readRoute(option, gateways));
    const own = options.flatMap((option) => readOwn(option, valueOf('topology')));
    return {
      routes: [...new Map(routes.map((route) => [route.cidr, route])).values()],
      own,
      redirectsGateway: options.some(([keyword]) => keyword === 'redirect-gateway' || keyword === 'redirect-private'),
      isCut: this.#isCut,
    };
  }

  /** The connection to the server ended: its pushed options are void. */
  reset(): void {
    this.#options.clear();
    this.#refused.clear();
    this.#isCut = false;
    this.#isContinued = false;
    this.#hasReply = false;
  }

  #piece(text: string): void {
    if (!this.#isContinued) this.reset();
    this.#hasReply = true;
    this.#isContinued = false;
    for (const option of text.split(',')) {
      if (option === 'push-continuation 2') this.#isContinued = true;
      if (
        !/^(?:route|route-ipv6|route-gateway|ifconfig|ifconfig-ipv6|topology|redirect-gateway|redirect-private)(?: |$)/.test(
          option,
        )
      )
        continue;
      if (this.#options.size >= MAX_PUSHED_ROUTES) this.#isCut = true;
      else this.#options.add(option);
    }
  }
}

/**
 * `route NETWORK [NETMASK [GATEWAY [METRIC]]]`, `route-ipv6 NETWORK/LENGTH [GATEWAY [METRIC]]`; empty for one that
 * does not lead into the tunnel.
 */
function readRoute(
  [keyword, network = '', second = '', third = '']: readonly string[],
  gateways: ReadonlySet<string>,
): ClientAddress[] {
  if (keyword === 'route') {
    const netmask = second === '' || second === 'default' ? '255.255.255.255' : second;
    // A name in place of the network (`remote_host`, one of the DNS) is not known here.
    const address = gateways.has(third) ? parseClientAddress(`${network}/${netmask}`) : undefined;
    return address?.family === 4 && netmask.includes('.') ? [address] : [];
  }
  if (keyword !== 'route-ipv6') return [];
  // 2.6 sends every route-ipv6 to the tunnel device unless a gateway is named; those it knows are on it.
  const address = second === 'net_gateway' ? undefined : parseClientAddress(network);
  return address?.family === 6 ? [address] : [];
}

/** `ifconfig LOCAL NETMASK-or-PEER`, `ifconfig-ipv6 LOCAL/LENGTH REMOTE`. */
function readOwn(
  [keyword, local = '', second = '']: readonly string[],
  topology: string | undefined,
): ClientAddress[] {
  if (keyword !== 'ifconfig' && keyword !== 'ifconfig-ipv6') return [];
  const text = keyword === 'ifconfig-ipv6' ? local : topology === 'subnet' ? `${local}/${second}` : second;
  const address = parseClientAddress(text);
  return address === undefined ? [] : [address];
}

/** Where an OpenVPN client sends its packets. */
export interface LinkRemote {
  readonly protocol: 'udp' | 'tcp';
  /** Canonical. */
  readonly address: string;
  /** 1..65535 */
  readonly port: number;
}

/**
 * Reads the log line that names the remote before the first packet is sent to it: `UDPv4 link remote:
 * [AF_INET]192.0.2.1:1194`, and under TCP `Attempting to establish TCP connection with [AF_INET6]2001:db8::1:1194`.
 *
 * @returns undefined for any other line
 * @see socket.c link_socket_init_phase2 and openvpn_connect, OpenVPN 2.6.14
 */
export function parseLinkRemote(text: string): LinkRemote | undefined {
  const match =
    /^(?:(UDP|TCP)(?:v[46])?(?:_CLIENT)? link remote:|Attempting to establish TCP connection with) \[AF_INET6?\](?:\[([0-9a-f:.]{2,45})\]|([0-9a-f:.]{2,45})):(\d{1,5})(?: |$)/.exec(
      text,
    );
  const address = canonicalAddress(match?.[2] ?? match?.[3] ?? '')?.address;
  return match === null || address === undefined
    ? undefined
    : withPort(match[1] === 'UDP' ? 'udp' : 'tcp', address, match[4]);
}

/**
 * A row of `remote-entry-get`: `0,192.0.2.1,1194,udp4,enabled`. Undefined where the host is a name, or the row does
 * not parse.
 */
export function parseRemoteEntry(row: string): LinkRemote | undefined {
  const match = /^\d{1,9},([^,]{1,255}),(\d{1,5}),(udp|tcp)[a-z0-9-]{0,16}(?:,|$)/.exec(row);
  const address = canonicalAddress(match?.[1] ?? '')?.address;
  return match === null || address === undefined
    ? undefined
    : withPort(match[3] === 'udp' ? 'udp' : 'tcp', address, match[2]);
}

function withPort(protocol: LinkRemote['protocol'], address: string, digits = ''): LinkRemote | undefined {
  const port = Number(digits);
  return port >= 1 && port <= 65_535 ? { protocol, address, port } : undefined;
}
