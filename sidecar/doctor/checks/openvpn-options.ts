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

/** One thing about options: undefined where nothing is to be said. */
type Rule = (
  has: (name: string) => boolean,
  facts: Facts & { readonly options: OpenVpnOptions },
) => Judgement | undefined;

/** OpenVPN's options go together with gwmark. */
export const openvpnOptions: Check = {
  name: 'openvpn-options',
  doc: "OpenVPN's options go together with gwmark: `dev tun`, `client-to-client`, `duplicate-cn`, `auth-gen-token`, data channel offload, `management-client-auth`, `management-signal`, `management tunnel`; of a client also `redirect-gateway`. They are read from the process's command line and the configuration files that it names.",
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
        expected: 'to be seen',
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
      found: `its configuration ${file} cannot be read`,
      expected: 'to be readable',
      remedy: 'run gwmark doctor as root',
    });
  }
  return judgements.length > 0
    ? judgements.map((judgement) => ({ ...judgement, subject: `${subject}: ${judgement.subject}` }))
    : [fine(subject, 'its options go together with gwmark')];
}

const RULES: readonly Rule[] = [
  (_has, { options }) => {
    const kind = optionOf(options, 'dev-type')?.values[0] ?? optionOf(options, 'dev')?.values[0] ?? 'tun';
    if (!kind.startsWith('tap')) return undefined;
    return {
      severity: 'error',
      subject: 'dev',
      found: `${kind}: hosts behind it have MAC addresses of their own and are found by ARP, so there is nothing for gwmark to do`,
      expected: 'dev tun',
      remedy: 'run no gwmark beside it, or use "dev tun" with "topology subnet"',
    };
  },
  (_has, { tunnelKinds }) => {
    const kind = tunnelKinds.find((tunnel) => tunnel.startsWith('ovpn'));
    if (kind === undefined) return undefined;
    return {
      severity: 'info',
      subject: 'data channel offload',
      found: `on (device of kind ${kind}): OpenVPN makes no packets itself. Its mssfix and client-to-client have no effect, and its iroutes are routes of the kernel`,
      expected: 'either',
      remedy: 'none needed; the check mtu says whether TCP fits',
    };
  },
  (has) => {
    if (!has('management-signal')) return undefined;
    return {
      severity: 'warn',
      subject: 'management-signal',
      found: 'on: OpenVPN restarts, and drops every client, whenever the sidecar leaves',
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
        'listens on the tunnel, where every client can reach it; OpenVPN 2.6 does so on any port, not on the one that is named',
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
      found: "on: on an endpoint without routes OpenVPN's own packets run into its tunnel",
      expected: 'off',
      remedy: 'remove redirect-gateway; where the server pushes it, "pull-filter ignore redirect-gateway" refuses it',
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
      expected: 'off, where rules of the firewall shall see them',
      remedy: 'none needed; without the option they pass FORWARD, from tunnel to tunnel',
    };
  },
  (_has, { options }) => {
    const token = optionOf(options, 'auth-gen-token');
    if (token === undefined || token.values.includes('external-auth')) return undefined;
    return {
      severity: 'warn',
      subject: 'auth-gen-token',
      found:
        'without external-auth: a client that comes back with a token is announced by no CONNECT, ADDRESS or DISCONNECT',
      expected: 'auth-gen-token LIFETIME external-auth',
      remedy:
        'add external-auth; until then only the next snapshot tells of such a client (management.snapshotIntervalMs)',
    };
  },
  (has) => {
    if (!has('duplicate-cn')) return undefined;
    const isFixed = has('client-config-dir') || has('client-connect');
    const subject = 'duplicate-cn';
    const expected = 'one client a name, or no fixed addresses';
    if (!isFixed)
      return {
        severity: 'info',
        subject,
        found: 'on: clients of one name are told apart by their id',
        expected,
        remedy: 'none needed',
      };
    return {
      severity: 'warn',
      subject,
      found:
        'on, with client-config-dir or client-connect: two clients of one name may be given the same address, and the later one gets its packets',
      expected,
      remedy: 'give no addresses or iroutes there, or remove duplicate-cn',
    };
  },
  (has, { authorize }) => {
    const subject = 'management-client-auth';
    if (!has(subject))
      return {
        severity: 'info',
        subject,
        found: 'off: a client that left is noticed by the next poll (management.pollIntervalMs)',
        expected: 'either',
        remedy: 'none needed; to notice at once, set it together with authorize: accept',
      };
    if (authorize === 'accept' && has('management-hold')) return undefined;
    if (authorize === 'accept') {
      return {
        severity: 'info',
        subject: 'management-hold',
        found:
          'off: after a restart clients can ask to be let in before the sidecar is attached; it answers them when it comes, but not renegotiations, whose clients have to connect anew',
        expected: 'on, beside management-client-auth',
        remedy: 'none needed; with management-hold OpenVPN serves only once the sidecar is attached',
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
