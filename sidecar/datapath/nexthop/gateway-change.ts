import type { Gateway } from '../../../rules/index.js';

/** Why answers of a gateway go to another MAC. `claim`: that MAC claimed its address. */
export type MoveReason = 'claim' | 'frame' | 'answer' | 'silence' | 'command';

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
  /** Nothing moved yet: the caller checks whether the old router is alive, and calls `alive` or `silent`. */
  | { readonly kind: 'doubted'; readonly doubt: Doubt }
  | { readonly kind: 'gone'; readonly gateway: Gateway; readonly why: 'device' | 'unused' | 'excluded' }
  | { readonly kind: 'limit'; readonly device: string; readonly mac: string };

/** One address of a router was claimed by another MAC, and the router has others. */
export interface Doubt {
  readonly device: string;
  /** The MAC that lost the address. */
  readonly mac: string;
  readonly claimedBy: string;
  readonly address: string;
  /** What the neighbour table has, or had, at the old MAC beside it; at least one. */
  readonly others: readonly string[];
  /** Selected frames had come from the MAC that claims it before it did. */
  readonly wasClaimantActive: boolean;
}
