import type { Transport } from '../lab/openvpn.js';
import type { VpnLabOptions } from '../lab/vpn-lab.js';
import type { Scene } from './scene.js';

/** What the doctor or trace must say, so that a user learns the cause. */
export type Naming =
  | {
      readonly by: 'doctor';
      readonly check: string;
      readonly severity: 'info' | 'warn' | 'error';
      readonly text: RegExp;
    }
  /** `gwmark trace SRC DST`, with further words; `before` makes the flow. */
  | {
      readonly by: 'trace';
      readonly words: readonly string[] | ((transport: Transport) => readonly string[]);
      readonly text: RegExp;
      readonly before?: (scene: Scene) => Promise<unknown>;
    };

/**
 * Another program, or a shape of the network, that gwmark has to live with: one row of docs/reference/beside.md.
 * A row passes when the short matrix holds beside it; a row with a limit passes when it does not hold, and the cause
 * is named.
 */
export interface Neighbour {
  /** The row's title: a noun phrase that follows the word "beside". */
  readonly name: string;
  /** Heading of the page that it is under. */
  readonly group: Group;
  /**
   * Where the row runs: between network namespaces of this machine, or in a guest with a kernel of its own. Default
   * netns.
   */
  readonly where?: 'netns' | 'vm';
  /** Whether `npm test` runs it too: seconds, and telling. */
  readonly isQuick?: boolean;
  /** How the lab differs. */
  readonly lab?: (transport: Transport) => LabDifference | Promise<LabDifference>;
  /** OpenVPN's transports to try. Default {@link TRANSPORTS}. */
  readonly transports?: readonly Transport[];
  /** Further flags of `gwmark run`. */
  readonly flags?: readonly string[];
  /** The OpenVPN that the row's lab runs, where it is not this machine's; shown in the page. */
  readonly openvpn?: string;
  /** Commands whose output names a program with its version; the first number of each is shown in the page. */
  readonly versions?: Readonly<Record<string, readonly string[]>>;
  /** A client on the segment itself connects before all others. */
  readonly isLocalFirst?: boolean;
  /**
   * The machine has a default route of its own, elsewhere: it comes before the uplink, so what clients open is not
   * tried.
   */
  readonly hasOwnDefault?: boolean;
  /**
   * Brings the neighbour up on the endpoint or around it, before the sidecar starts. What it leaves running goes to
   * `scene.use`.
   */
  readonly prepare?: (scene: Scene) => Promise<void>;
  /** What the neighbour does while gwmark works; the matrix is tried again after each. */
  readonly disturbances?: Readonly<Record<string, (scene: Scene) => Promise<void>>>;
  /**
   * That the matrix does not hold, why (a sentence for the page), and who says so. Left out: it holds, and the doctor
   * finds no error.
   */
  readonly limit?: {
    readonly reason: string;
    readonly named: readonly Naming[];
    /** That clients of OpenVPN may not even connect. Default: they do, and their traffic is not carried. */
    readonly isClientless?: boolean;
  };
  /** What is named although the matrix holds. */
  readonly named?: readonly Naming[];
}

/** Everything of a lab but its transport, which each row tries. */
export type LabDifference = Omit<VpnLabOptions, 'transport'>;

/** Headings of the page, in their order. */
export const GROUPS = [
  'Programs that listen',
  'Packet filters',
  'Network managers',
  'Other VPNs and IPsec',
  'Reverse-path filters',
  'Routers',
  'Addresses',
  'Path MTU',
  'Devices',
  'OpenVPN',
] as const;
export type Group = (typeof GROUPS)[number];

/** One of UDP and one of TCP, one of each address family. */
export const TRANSPORTS = ['udp4', 'tcp6'] as const satisfies readonly Transport[];
