import type { Namespace } from './namespace.js';
import { eventually } from './wait.js';

/** The lists that a program can leave traces in, by name. */
export type NetworkState = Readonly<Record<string, string>>;

const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  ruleset: ['nft', 'list', 'ruleset'],
  rules4: ['ip', '-4', 'rule', 'show'],
  rules6: ['ip', '-6', 'rule', 'show'],
  routes4: ['ip', '-4', 'route', 'show', 'table', 'all'],
  routes6: ['ip', '-6', 'route', 'show', 'table', 'all'],
  // Other neighbours come and go by themselves; only a program adds permanent ones.
  neighbours4: ['ip', '-4', 'neigh', 'show', 'nud', 'permanent'],
  neighbours6: ['ip', '-6', 'neigh', 'show', 'nud', 'permanent'],
  proxies: ['ip', 'neigh', 'show', 'proxy'],
  sysctls: [
    'sh',
    '-c',
    'cd /proc/sys/net && grep -s . ipv4/ip_forward ipv4/fwmark_reflect ipv4/tcp_fwmark_accept ipv4/conf/*/rp_filter ipv4/conf/*/src_valid_mark ipv4/conf/*/forwarding ipv6/fwmark_reflect ipv6/conf/*/forwarding ipv6/conf/*/proxy_ndp ipv[46]/neigh/*/proxy_delay',
  ],
};

/**
 * Everything in a namespace that routing and filtering is made of, as text that can be compared. It waits for the
 * kernel, which adds the routes of a new IPv6 address later than the address.
 */
export async function networkState(namespace: Namespace): Promise<NetworkState> {
  await eventually(async () => await hasRoutesOfAddresses(namespace), {
    what: `the routes of the IPv6 addresses of ${namespace.role}`,
  });
  const entries = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, argv]) => [name, sorted(await namespace.run(argv), name)] as const),
  );
  return Object.fromEntries(entries);
}

/** What of `ip -json address` is read. */
interface ListedDevice {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly addr_info: readonly { readonly local: string }[];
}

/** Where there is no carrier, an address has none. */
async function hasRoutesOfAddresses(namespace: Namespace): Promise<boolean> {
  const [addresses, routes] = await Promise.all([
    namespace.run(['ip', '-6', '-json', 'address']),
    namespace.run(['ip', '-6', 'route', 'show', 'table', 'local']),
  ]);
  const local = new Set([...routes.matchAll(/^local \S+ dev \S+/gm)].map(([route]) => route));
  // Of iproute2's JSON, these fields alone.
  return (JSON.parse(addresses) as ListedDevice[])
    .filter(({ flags }) => flags.includes('LOWER_UP'))
    .every((device) => device.addr_info.every((address) => local.has(`local ${address.local} dev ${device.ifname}`)));
}

/** A ruleset's order means something; the order of the other lists may vary. */
function sorted(text: string, name: string): string {
  return name === 'ruleset' ? text : text.split('\n').toSorted().join('\n').trim();
}
