import { formatNetwork, parseNetwork } from '../../rules/index.js';
import type { Namespace } from './namespace.js';

/** Sets of addresses, and of subnets of one length. */
const CLIENT_SET = /^(?:client[46]|subnet[46]_(\d+))$/;

/** What the nftables of a namespace has for clients: canonical text, sorted. */
export async function clientElements(namespace: Namespace): Promise<readonly string[]> {
  // Printed by nft(8).
  const { nftables } = JSON.parse(await namespace.run(['nft', '-j', 'list', 'ruleset'])) as {
    readonly nftables: readonly { readonly set?: { readonly name: string; readonly elem?: readonly unknown[] } }[];
  };
  return nftables
    .flatMap(({ set }) => {
      const matched = set === undefined ? null : CLIENT_SET.exec(set.name);
      if (set === undefined || matched === null) return [];
      const length = matched[1] === undefined ? '' : `/${matched[1]}`;
      return (set.elem ?? []).map((element) => canonical(`${String(element)}${length}`));
    })
    .toSorted();
}

/** Canonical text of a network, as the sidecar and `formatNetwork` have it. @throws Error for other text */
export function canonical(text: string): string {
  const network = parseNetwork(text);
  if (network === null) throw new Error(`${text} is no network`);
  return formatNetwork(network);
}
