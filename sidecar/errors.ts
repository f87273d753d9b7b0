/** What the sidecar throws when something outside of it is not as expected. Broken invariants throw plain `Error`. */

/** What `gwmark` exits with; `cli/exit-codes.ts` says what each means. */
export type ExitCode = 0 | 1 | 2 | 3;

interface ErrorDescription {
  /** What `gwmark` exits with when this error ends a command: 2 for usage and configuration, 1 for the rest. */
  readonly exitCode: 1 | 2;
  readonly meaning: string;
  readonly remedy: string;
}

/** Every code that a {@link GwmarkError} can have. `docs/reference/errors.md` is generated from this table. */
export const ERROR_CODES = {
  USAGE: {
    exitCode: 2,
    meaning: 'The command line is invalid.',
    remedy: 'Compare it with `gwmark COMMAND --help`.',
  },
  CONFIG_INVALID: {
    exitCode: 2,
    meaning: 'The configuration is invalid; the message lists all errors. Nothing was changed.',
    remedy: 'Fix each line that the message names; `gwmark check` checks a configuration without running it.',
  },
  NOT_PRIVILEGED: {
    exitCode: 1,
    meaning: 'The process lacks CAP_NET_ADMIN, which it needs to change rules, routes and neighbours.',
    remedy: 'Run as root, or give the service or the container the capability NET_ADMIN.',
  },
  CONTROL_UNREACHABLE: {
    exitCode: 1,
    meaning: 'Nothing answers at the control socket.',
    remedy: 'Start `gwmark run`, or name its socket with `--control-socket`.',
  },
  CONTROL_DENIED: {
    exitCode: 1,
    meaning: 'This user may not open the control socket.',
    remedy: "Run the command as root or as a member of the socket's group.",
  },
  CONTROL_IN_USE: {
    exitCode: 1,
    meaning: 'Another sidecar answers at the control socket.',
    remedy: 'Stop it, or give each sidecar its own `controlSocket`.',
  },
  CONTROL_UNAVAILABLE: {
    exitCode: 1,
    meaning: 'The control socket cannot be created.',
    remedy:
      'See the cause in the message: a directory that is not writable, or an existing file that is not a socket.',
  },
  CONTROL_PROTOCOL: {
    exitCode: 1,
    meaning: 'The program at the control socket is not a gwmark sidecar, or has an incompatible version.',
    remedy: 'Check the path; restart the sidecar after an upgrade.',
  },
  GATEWAY_UNKNOWN: {
    exitCode: 1,
    meaning: 'No gateway is learnt from frames of that MAC address on that device.',
    remedy:
      'Compare with `gwmark gateways`. A gateway is known once it has sent a frame of a VPN flow, or an ARP or ND request for the endpoint.',
  },
  CLIENT_UNKNOWN: {
    exitCode: 1,
    meaning: 'No client of that name, address or CID is connected, or none of that name is kept out.',
    remedy: 'The message lists those that are; compare with `gwmark clients`.',
  },
  CLIENT_AMBIGUOUS: {
    exitCode: 1,
    meaning: 'Several clients have that name, address or CID. None was kicked.',
    remedy: 'Name one by `cid:N`, as the message lists them, and its OpenVPN with `--server`; or give `--all`.',
  },
  HOLD_IMPOSSIBLE: {
    exitCode: 1,
    meaning: 'A client without a name cannot be kept out, because nothing tells it from others when it comes back.',
    remedy: 'Kick it without `--hold`.',
  },
  NO_TERMINAL: {
    exitCode: 1,
    meaning: 'The command draws on a terminal, and its output is no terminal.',
    remedy: 'Use `--once` or `--json`.',
  },
  WEB_UNAVAILABLE: {
    exitCode: 1,
    meaning: '`gwmark web` cannot listen at its address.',
    remedy: 'The message says why; name another address with `--listen`.',
  },
  CONTROL_NAMESPACE: {
    exitCode: 1,
    meaning:
      'The sidecar runs in another network namespace than the command, which would show the wrong kernel state.',
    remedy: 'Run the command where the sidecar runs: `docker exec`, `nsenter -n`, `ip netns exec`.',
  },
  NOT_RUNNING: {
    exitCode: 1,
    meaning: 'No sidecar answers, and no earlier run left anything in the kernel.',
    remedy:
      'Start `gwmark run`; or give the settings that it was run with (`--config`), so that the command finds what it left.',
  },
  FLOWS_UNAVAILABLE: {
    exitCode: 1,
    meaning: 'The flows cannot be read from the kernel.',
    remedy: 'The message says why; install the program `conntrack`, and run the command as root.',
  },
  DEVICE_UNKNOWN: {
    exitCode: 1,
    meaning:
      'A network device in a setting is not an Ethernet device. A device that does not exist (yet) is a problem in the status, event `device.unusable`.',
    remedy: 'Compare `devices` with `ip link`.',
  },
  FIREWALL_UNAVAILABLE: {
    exitCode: 1,
    meaning:
      'Neither nftables (libnftables or the program `nft`) nor iptables with ipset works, or the one that the setting `firewall` forces does not.',
    remedy:
      'Install nftables, or iptables and ipset; or check the settings `firewall`, `executor` and `iptables.flavour`.',
  },
  FIREWALL_CLASH: {
    exitCode: 1,
    meaning:
      'The nftables table, the iptables chains or bits of the mark belong to another program; or an earlier run installed rules with the other firewall.',
    remedy: 'Give gwmark another `table` or `mark.mask`; after a change of `firewall`, run `gwmark down` first.',
  },
  FIREWALL_FAILED: {
    exitCode: 1,
    meaning: 'The kernel rejected a firewall transaction.',
    remedy: 'The message names the object and the reason.',
  },
  ROUTING_UNAVAILABLE: {
    exitCode: 1,
    meaning: 'The program `ip` of iproute2 does not work.',
    remedy: 'Install iproute2.',
  },
  ROUTING_CLASH: {
    exitCode: 1,
    meaning: 'Another program uses a routing table, rule priority or next-hop address that gwmark needs.',
    remedy: 'Change the `routing.*` setting that the message names.',
  },
  ROUTING_FAILED: {
    exitCode: 1,
    meaning: 'The kernel rejected a rule, a route or a neighbour.',
    remedy: 'The message names the object and the reason.',
  },
  DATAPATH_UNAVAILABLE: {
    exitCode: 1,
    meaning: 'The datapath that the setting `datapath` forces does not work here.',
    remedy: 'Load the kernel module, or set `datapath: auto`.',
  },
  DATAPATH_FAILED: {
    exitCode: 1,
    meaning: 'The kernel module rejected a command, or one of its files could not be read.',
    remedy: 'The message names the command or the file, and the reason.',
  },
  DATAPATH_ABI: {
    exitCode: 1,
    meaning: 'The loaded kernel module and this sidecar have different interface versions.',
    remedy: 'Upgrade the older of the two, and reload the module.',
  },
  SYSCTL_FAILED: {
    exitCode: 1,
    meaning: 'A sysctl that forwarding needs could not be read or written.',
    remedy: 'Set it from outside and use `sysctl: leave`.',
  },
  NOTIFY_FAILED: {
    exitCode: 1,
    meaning: 'The sidecar cannot notify the service manager. It logs `notify.failed` and continues.',
    remedy: 'Check that the unit has `Type=notify`, or start the sidecar without $NOTIFY_SOCKET.',
  },
  INTERNAL: {
    exitCode: 1,
    meaning: 'A bug in gwmark.',
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
