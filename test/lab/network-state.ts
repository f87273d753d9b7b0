import type { Namespace } from './namespace.js';

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

/** Everything in a namespace that routing and filtering is made of, as text that can be compared. */
export async function networkState(namespace: Namespace): Promise<NetworkState> {
  const entries = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, argv]) => [name, sorted(await namespace.run(argv), name)] as const),
  );
  return Object.fromEntries(entries);
}

/** A ruleset's order means something; the order of the other lists may vary. */
function sorted(text: string, name: string): string {
  return name === 'ruleset' ? text : text.split('\n').toSorted().join('\n').trim();
}
