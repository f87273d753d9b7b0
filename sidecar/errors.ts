/** What the sidecar throws when something outside of it is not as expected. Broken invariants throw plain `Error`. */

/** What `gwmark` exits with; `cli/exit-codes.ts` says what each means. */
export type ExitCode = 0 | 1 | 2 | 3;

interface ErrorDescription {
  /** What `gwmark` exits with when this error ends a command: 2 for usage and configuration, 1 for the rest. */
  readonly exitCode: 1 | 2;
  readonly meaning: string;
  readonly remedy: string;
}

/** Every code that a {@link GwmarkError} can bear. `docs/reference/errors.md` is generated from this table. */
export const ERROR_CODES = {
  USAGE: {
    exitCode: 2,
    meaning: 'The command line is not understood.',
    remedy: 'Compare it with `gwmark COMMAND --help`.',
  },
  CONFIG_INVALID: {
    exitCode: 2,
    meaning: 'The configuration has faults; the message lists all of them. Nothing was changed.',
    remedy: 'Mend each line that the message names; `gwmark check` tries a configuration without running it.',
  },
  NOT_PRIVILEGED: {
    exitCode: 1,
    meaning: 'The process lacks CAP_NET_ADMIN, without which no rule, route or neighbour can be changed.',
    remedy: 'Run as root, or give the service or the container the capability NET_ADMIN.',
  },
  CONTROL_UNREACHABLE: {
    exitCode: 1,
    meaning: 'Nothing answers at the control socket.',
    remedy: 'Start `gwmark run`, or name its socket with `--control-socket`.',
  },
  CONTROL_DENIED: {
    exitCode: 1,
    meaning: 'The control socket may not be opened by this user.',
    remedy: "Run the command as root or as a member of the socket's group.",
  },
  CONTROL_IN_USE: {
    exitCode: 1,
    meaning: 'Another sidecar answers at the control socket.',
    remedy: 'Stop it, or give each sidecar a `controlSocket` of its own.',
  },
  CONTROL_UNAVAILABLE: {
    exitCode: 1,
    meaning: 'The control socket cannot be made.',
    remedy: 'See the cause in the message: a directory that is not writable, or a file in the way that is no socket.',
  },
  CONTROL_PROTOCOL: {
    exitCode: 1,
    meaning: 'What answers at the control socket is no gwmark sidecar, or one of an incompatible version.',
    remedy: 'Check the path; restart the sidecar after an upgrade.',
  },
  GATEWAY_UNKNOWN: {
    exitCode: 1,
    meaning: 'No gateway is learnt from frames of that MAC address on that device.',
    remedy:
      'Compare with `gwmark gateways`. A gateway is known once it sent a frame of a VPN flow, or asked for the endpoint.',
  },
  CONTROL_NAMESPACE: {
    exitCode: 1,
    meaning:
      'The sidecar works in another network namespace than the command, which would show the wrong kernel state.',
    remedy: 'Run the command where the sidecar runs: `docker exec`, `nsenter -n`, `ip netns exec`.',
  },
  NOT_RUNNING: {
    exitCode: 1,
    meaning: 'No sidecar answers, and none left anything in the kernel.',
    remedy:
      'Start `gwmark run`; or give the settings that it was run with (`--config`), by which what it left is found.',
  },
  FLOWS_UNAVAILABLE: {
    exitCode: 1,
    meaning: 'The flows cannot be read from the kernel.',
    remedy: 'The message says why; install the program `conntrack`, and run the command as root.',
  },
  DEVICE_UNKNOWN: {
    exitCode: 1,
    meaning:
      'A network device that a setting names is no Ethernet device. One that does not exist (yet) is a problem of the status, event `device.unusable`.',
    remedy: 'Compare `devices` with `ip link`.',
  },
  FIREWALL_UNAVAILABLE: {
    exitCode: 1,
    meaning:
      'Neither nftables (libnftables or the program `nft`) nor iptables with ipset can be used, or not the one that the setting `firewall` forces.',
    remedy:
      'Install nftables, or iptables and ipset; or look at the settings `firewall`, `executor` and `iptables.flavour`.',
  },
  FIREWALL_CLASH: {
    exitCode: 1,
    meaning:
      'The nftables table or the iptables chains, or bits of the mark, belong to somebody else; or an earlier run made rules with the other of the two.',
    remedy: 'Give gwmark another `table` or `mark.mask`; after a change of `firewall`, run `gwmark down` first.',
  },
  FIREWALL_FAILED: {
    exitCode: 1,
    meaning: 'The kernel refused a transaction of the firewall.',
    remedy: 'The message names the object and the reason.',
  },
  ROUTING_UNAVAILABLE: {
    exitCode: 1,
    meaning: 'The program `ip` of iproute2 cannot be used.',
    remedy: 'Install iproute2.',
  },
  ROUTING_CLASH: {
    exitCode: 1,
    meaning: 'A routing table, rule priority or next-hop address that gwmark needs is in use by somebody else.',
    remedy: 'Change the `routing.*` setting that the message names.',
  },
  ROUTING_FAILED: {
    exitCode: 1,
    meaning: 'The kernel refused a rule, a route or a neighbour.',
    remedy: 'The message names the object and the reason.',
  },
  DATAPATH_UNAVAILABLE: {
    exitCode: 1,
    meaning: 'The datapath that the setting `datapath` forces cannot be used here.',
    remedy: 'Load the kernel module, or set `datapath: auto`.',
  },
  DATAPATH_FAILED: {
    exitCode: 1,
    meaning: 'The kernel module refused a command, or one of its files could not be read.',
    remedy: 'The message names the command or the file, and the reason.',
  },
  DATAPATH_ABI: {
    exitCode: 1,
    meaning: 'The kernel module that is loaded speaks another version of the interface than this sidecar.',
    remedy: 'Upgrade the older of the two, and load the module anew.',
  },
  SYSCTL_FAILED: {
    exitCode: 1,
    meaning: 'A sysctl that forwarding needs could not be read or written.',
    remedy: 'Set it outside and use `sysctl: leave`.',
  },
  NOTIFY_FAILED: {
    exitCode: 1,
    meaning:
      'The service manager cannot be told how the sidecar stands. It is logged as `notify.failed` and ends nothing.',
    remedy: 'See that the unit has `Type=notify`, or start the sidecar without $NOTIFY_SOCKET.',
  },
  INTERNAL: {
    exitCode: 1,
    meaning: 'A fault of gwmark itself.',
    remedy: 'Report it with the log.',
  },
} as const satisfies Record<string, ErrorDescription>;

/** Stable names: once published, a code keeps its meaning. */
export type GwmarkErrorCode = keyof typeof ERROR_CODES;

export interface GwmarkErrorOptions extends ErrorOptions {
  /** Data for programs and logs; never secrets. */
  readonly context?: Readonly<Record<string, unknown>>;
}

/**
 * The only error class of the sidecar.
 *
 * The message is one sentence for the operator: the attempted action, the offending value and the limit, without a
 * trailing period and without secrets.
 */
export class GwmarkError extends Error {
  override readonly name = 'GwmarkError';
  readonly code: GwmarkErrorCode;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(code: GwmarkErrorCode, message: string, options: GwmarkErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.context = options.context ?? {};
  }

  /** What the process exits with when nobody handles this error. */
  get exitCode(): 1 | 2 {
    return ERROR_CODES[this.code].exitCode;
  }
}
