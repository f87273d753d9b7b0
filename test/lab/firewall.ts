import type { Namespace } from './namespace.js';

/** The packet filter that the suites run with: set for the suites of test/iptables, else nftables. */
const IS_IPTABLES = process.env['GWMARK_FIREWALL'] === 'iptables';

/** The flavour of iptables under test. */
export const FLAVOUR = process.env['GWMARK_IPTABLES_FLAVOUR'] ?? 'nft';

/** Everything in which the packet filter of a namespace keeps addresses of clients, as text. */
export async function clientRules(namespace: Namespace): Promise<string> {
  return await namespace.run(IS_IPTABLES ? ['ipset', 'save'] : ['nft', 'list', 'ruleset']);
}
