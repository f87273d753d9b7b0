import type { Gateway } from '../../../rules/index.js';

/**
 * Why answers of a gateway go to another MAC. `claim`: that MAC claimed its address; `policy`: an address of the setting
 * `gateways.answer` is there.
 */
export type MoveReason = 'claim' | 'frame' | 'answer' | 'silence' | 'command' | 'policy';

/** What happened to a gateway; the caller logs it and cleans up after `gone`. */
export type GatewayChange =
  | { readonly kind: 'found'; readonly gateway: Gateway; readonly by: 'neighbour' | 'frame' }
  | {
      readonly kind: 'moved';
      readonly gateway: Gateway;
      readonly from: string;
      readonly by: MoveReason;
      readonly address?: string;
    }
  /** It answered no probe: its flows take the normal route until it is alive, or another has its address. */
  | { readonly kind: 'dead'; readonly gateway: Gateway }
  /** One that was dead is not. */
  | { readonly kind: 'revived'; readonly gateway: Gateway; readonly by: MoveReason }
  /** Nothing moved yet: the caller checks whether the old router is alive, and calls `alive` or `silent`. */
  | { readonly kind: 'doubted'; readonly doubt: Doubt }
  | { readonly kind: 'gone'; readonly gateway: Gateway; readonly why: 'device' | 'unused' | 'excluded' | 'command' }
  | { readonly kind: 'limit'; readonly device: string; readonly mac: string };

/** One address of a router was claimed by another MAC, and the router has others. */
export interface Doubt {
  readonly device: string;
  /** The MAC that lost the address. */
  readonly mac: string;
  /** The last one that did. */
  readonly claimedBy: string;
  readonly address: string;
  /** What the neighbour table has, or had, at the old MAC beside it; none only if it is contested. */
  readonly others: readonly string[];
  /** Selected frames had come from the MAC that claims it before it did. */
  readonly wasClaimantActive: boolean;
  /** The router lately proved alive after such a claim, so it gets longer for a sign of life. */
  readonly isContested: boolean;
}
