import type { Command, Nftables, Statement } from 'nftables-json';

import { compileNexthopStructure, diffStructure, NOTHING, type Policy, type Site } from '../../../rules/index.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';
import { isAtLeast, parseVersion } from './programs.js';

const LEAST = [1, 0, 6] as const;
/** Only ever checked, never installed. */
const TABLE = 'gwmark_doctor';

/** nftables works, and the kernel supports what gwmark will install. */
export const nftables: Check = {
  name: 'nftables',
  doc: 'libnftables or `nft` works, is new enough, and the kernel supports everything that the rules use: chains of type route, verdict maps of device and MAC, sets that packets fill, conntrack marks, `fib`. The check asks the kernel without installing anything.',
  needsNetAdmin: true,
  look: async (system) => {
    if ((await system.firewall()) === 'iptables') return [fine('nftables', 'not used: gwmark uses iptables')];
    const nft = await system.nftables();
    const { version } = await nft.features();
    return [judgeVersion(version, nft.executor), await probeFeatures(nft, system.policy)];
  },
};

export function judgeVersion(text: string, executor: string): Judgement {
  const version = parseVersion(text);
  const subject = 'nftables';
  const found = `${text}, ${executor === 'library' ? 'libnftables in process' : 'the program nft, spawned'}`;
  const expected = `${LEAST.join('.')} or later`;
  if (version !== null && !isAtLeast(version, LEAST))
    return { severity: 'error', subject, found, expected, remedy: 'upgrade nftables' };
  return fine(subject, found, expected);
}

/** Checks everything at once and, only if that is rejected, each feature alone. */
export async function probeFeatures(nft: Pick<Nftables, 'check'>, policy: Policy): Promise<Judgement> {
  const subject = 'nftables in the kernel';
  const expected = 'every feature that the rules need';
  if ((await refusal(nft, wholeTable(policy))) === null)
    return fine(subject, 'has every feature that the rules need', expected);
  const missing: string[] = [];
  for (const [feature, commands] of FEATURES) {
    const reason = await refusal(nft, commands);
    if (reason !== null) missing.push(`${feature} (${reason})`);
  }
  const found = missing.length === 0 ? 'rejects the rules as a whole' : `does not support: ${missing.join(', ')}`;
  return {
    severity: 'error',
    subject,
    found,
    expected,
    remedy:
      'use a kernel with CONFIG_NF_TABLES_INET, NFT_CT, NFT_FIB_INET and NF_CONNTRACK_MARK, and load its modules (nf_tables, nft_ct, nft_fib_inet)',
  };
}

async function refusal(nft: Pick<Nftables, 'check'>, commands: readonly Command[]): Promise<string | null> {
  return nft.check(commands).then(
    () => null,
    (error: Error) => error.message.split('\n')[0] ?? '',
  );
}

/** What gwmark would install for an endpoint with one of everything. */
function wholeTable(policy: Policy): readonly Command[] {
  const site: Site = {
    policy,
    tunnels: [],
    transports: [{ protocol: 'udp', address: null, families: [4, 6], port: 1194 }],
    links: [
      { device: 'lan0', addresses: [], onlink: [], families: [4, 6], hasReversePathFilter: false, isBridge: false },
    ],
    gateways: [{ id: 1, device: 'lan0', mac: '02:00:00:00:00:01', sources: ['02:00:00:00:00:01'] }],
    uplink: null,
    subnetLengths: [{ family: 4, prefixLength: 24 }],
    clientRouteFamilies: [],
    savedSysctls: [],
  };
  const { before, after } = diffStructure(TABLE, NOTHING, compileNexthopStructure(site));
  return [...before, ...after];
}

const PLACE = { family: 'inet', table: TABLE } as const;
const ADD_TABLE: Command = { add: { table: { family: 'inet', name: TABLE } } };

function rule(...expr: readonly Statement[]): readonly Command[] {
  return [
    ADD_TABLE,
    { add: { chain: { ...PLACE, name: 'probe' } } },
    { add: { rule: { ...PLACE, chain: 'probe', expr } } },
  ];
}

const FEATURES: readonly (readonly [feature: string, commands: readonly Command[]])[] = [
  ['tables of family inet', [ADD_TABLE]],
  [
    'chains of type route',
    [
      ADD_TABLE,
      { add: { chain: { ...PLACE, name: 'probe', type: 'route', hook: 'output', prio: -150, policy: 'accept' } } },
    ],
  ],
  [
    'verdict maps of device and MAC',
    [ADD_TABLE, { add: { map: { ...PLACE, name: 'probe', type: ['ifname', 'ether_addr'], map: 'verdict' } } }],
  ],
  [
    'sets that packets fill',
    [
      ADD_TABLE,
      {
        add: {
          set: {
            ...PLACE,
            name: 'probe',
            type: ['ifname', 'ether_addr'],
            flags: ['dynamic', 'timeout'],
            size: 16,
            timeout: 60,
          },
        },
      },
    ],
  ],
  ['conntrack marks', rule({ mangle: { key: { ct: { key: 'mark' } }, value: 1 } })],
  ['conntrack direction', rule({ match: { op: '==', left: { ct: { key: 'direction' } }, right: 'reply' } })],
  ['fib', rule({ match: { op: '==', left: { fib: { result: 'type', flags: ['daddr'] } }, right: 'local' } })],
];
