import type { Settings } from '../../config/settings.js';
import { type OpenVpnOptions, optionOf } from '../../discovery/openvpn-options.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

interface Facts {
  /** The server, by its management endpoint. */
  readonly name: string;
  /** Null where OpenVPN cannot be looked into. */
  readonly options: OpenVpnOptions | null;
  readonly authorize: Settings['authorize'];
  /** Kinds of the tunnel devices, as `ip -d link` has them: `tun`, `ovpn`, `ovpn-dco`. */
  readonly tunnelKinds: readonly string[];
}

/** A judgement of options; undefined if there is nothing to report. */
type Rule = (
  has: (name: string) => boolean,
  facts: Facts & { readonly options: OpenVpnOptions },
) => Judgement | undefined;

/** OpenVPN's options are compatible with gwmark. */
export const openvpnOptions: Check = {
  name: 'openvpn-options',
  doc: "OpenVPN's options are compatible with gwmark: `dev tun`, `client-to-client`, `duplicate-cn`, `auth-gen-token`, data channel offload, `management-client-auth`, `management-signal`, `management tunnel`; of a client also `redirect-gateway`. The check reads them from the process's command line and the configuration files that it names.",
  needsNetAdmin: false,
  look: async (system) => {
    const tunnelKinds = (await system.tunnels()).map(({ linkinfo }) => linkinfo?.info_kind ?? 'unknown');
    return (await system.servers()).flatMap(({ name, options }) =>
      judgeOptions({ name, options, authorize: system.settings.authorize, tunnelKinds }),
    );
  },
};

export function judgeOptions(facts: Facts): readonly Judgement[] {
  const { name, options } = facts;
  const subject = `OpenVPN at ${name}`;
  if (options === null) {
    return [
      {
        severity: 'info',
        subject,
        found: 'process not visible from here',
        expected: 'visible',
        remedy: 'run gwmark doctor as root, in the PID namespace of OpenVPN',
      },
    ];
  }
  const has = (option: string): boolean => optionOf(options, option) !== undefined;
  const isClient = has('client') || has('tls-client');
  const judgements = (isClient ? [...RULES, ...CLIENT_RULES] : [...RULES, ...SERVER_RULES])
    .map((rule) => rule(has, { ...facts, options }))
    .filter((judgement) => judgement !== undefined);
  for (const file of options.unread) {
    judgements.push({
      severity: 'info',
      subject,
      found: `its configuration ${file} is not readable`,
      expected: 'readable',
      remedy: 'run gwmark doctor as root',
    });
  }
  return judgements.length > 0
    ? judgements.map((judgement) => ({ ...judgement, subject: `${subject}: ${judgement.subject}` }))
    : [fine(subject, 'its options are compatible with gwmark')];
}

const RULES: readonly Rule[] = [
  (_has, { options }) => {
    const kind = optionOf(options, 'dev-type')?.values[0] ?? optionOf(options, 'dev')?.values[0] ?? 'tun';
    if (!kind.startsWith('tap')) return undefined;
    return {
      severity: 'error',
      subject: 'dev',
      found: `${kind}: hosts behind it have their own MAC addresses, and ARP finds them, so gwmark has nothing to do`,
      expected: 'dev tun',
      remedy: 'do not run gwmark with it, or use "dev tun" with "topology subnet"',
    };
  },
  (_has, { tunnelKinds }) => {
    const kind = tunnelKinds.find((tunnel) => tunnel.startsWith('ovpn'));
    if (kind === undefined) return undefined;
    return {
      severity: 'info',
      subject: 'data channel offload',
      found: `on (device type ${kind}): the kernel sends OpenVPN's packets. mssfix and client-to-client have no effect, and iroutes are kernel routes`,
      expected: 'either',
      remedy: 'none needed; the check mtu says whether TCP fits',
    };
  },
  (has) => {
    if (!has('management-signal')) return undefined;
    return {
      severity: 'warn',
      subject: 'management-signal',
      found: 'on: OpenVPN restarts, and drops every client, whenever the sidecar disconnects',
      expected: 'off',
      remedy: 'remove management-signal',
    };
  },
  (_has, { options }) => {
    if (optionOf(options, 'management')?.values[0] !== 'tunnel') return undefined;
    return {
      severity: 'error',
      subject: 'management',
      found:
        'listens on the tunnel, where every client can reach it; OpenVPN 2.6 does so on a random port, not on the configured one',
      expected: 'a unix socket',
      remedy: 'management /run/openvpn/management.sock unix',
    };
  },
];

/** Of a client only. */
const CLIENT_RULES: readonly Rule[] = [
  (has) => {
    if (!has('redirect-gateway')) return undefined;
    return {
      severity: 'warn',
      subject: 'redirect-gateway',
      found: "on: on an endpoint without routes, OpenVPN's own packets go into its tunnel",
      expected: 'off',
      remedy: 'remove redirect-gateway; if the server pushes it, add "pull-filter ignore redirect-gateway"',
    };
  },
];

/** Of a server only. */
const SERVER_RULES: readonly Rule[] = [
  (has) => {
    if (!has('client-to-client')) return undefined;
    return {
      severity: 'info',
      subject: 'client-to-client',
      found: 'on: packets between clients never leave OpenVPN',
      expected: 'off, if firewall rules should see them',
      remedy: 'none needed; without the option, they pass FORWARD, from tunnel to tunnel',
    };
  },
  (_has, { options }) => {
    const token = optionOf(options, 'auth-gen-token');
    if (token === undefined || token.values.includes('external-auth')) return undefined;
    return {
      severity: 'warn',
      subject: 'auth-gen-token',
      found:
        'without external-auth: when a client reconnects with a token, OpenVPN sends no CONNECT, ADDRESS or DISCONNECT',
      expected: 'auth-gen-token LIFETIME external-auth',
      remedy:
        'add external-auth; until then, such a client appears only in the next snapshot (management.snapshotIntervalMs)',
    };
  },
  (has) => {
    if (!has('duplicate-cn')) return undefined;
    const isFixed = has('client-config-dir') || has('client-connect');
    const subject = 'duplicate-cn';
    const expected = 'one client per name, or no fixed addresses';
    if (!isFixed)
      return {
        severity: 'info',
        subject,
        found: 'on: clients with the same name are distinguished by their id',
        expected,
        remedy: 'none needed',
      };
    return {
      severity: 'warn',
      subject,
      found:
        'on, with client-config-dir or client-connect: two clients with the same name may get the same address, and the later one gets its packets',
      expected,
      remedy: 'assign no addresses or iroutes there, or remove duplicate-cn',
    };
  },
  (has, { authorize }) => {
    const subject = 'management-client-auth';
    if (!has(subject))
      return {
        severity: 'info',
        subject,
        found: 'off: the next poll detects a client that left (management.pollIntervalMs)',
        expected: 'either',
        remedy: 'none needed; for immediate detection, set it together with authorize: accept',
      };
    if (authorize === 'accept' && has('management-hold')) return undefined;
    if (authorize === 'accept') {
      return {
        severity: 'info',
        subject: 'management-hold',
        found:
          'off: after a restart, clients can request a login before the sidecar is attached; the sidecar answers them when it attaches, but not renegotiations, whose clients have to reconnect',
        expected: 'on, beside management-client-auth',
        remedy: 'none needed; with management-hold, OpenVPN does not serve clients before the sidecar is attached',
      };
    }
    return {
      severity: 'warn',
      subject,
      found: 'on, and authorize is none: logins wait for an answer that the sidecar does not give',
      expected: 'authorize: accept, or another program that answers',
      remedy: 'set authorize: accept, or remove management-client-auth',
    };
  },
];
