/**
 * `unshare --net node compile-endpoints.js DIRECTORY`: writes what the sidecar puts into the kernel of an endpoint
 * with its default settings, two links, three gateways and a hundred clients. For each datapath `NAME.nft`, the table
 * as nft lists it after the sidecar's own code has installed it in this network namespace; `NAME.ip` for `ip -batch`;
 * and `module.control`. IPv4 only.
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openNftables } from 'nftables-json';
import type { ClientNetworkChange, Gateway, Link, Network, Site, Tunnel } from '../../rules/index.js';
import {
  EMPTY_PLAN,
  compileModuleRouting,
  compileModuleStructure,
  compileNexthopStructure,
  compileRouting,
  diffRouting,
  moduleMark,
  parseNetwork,
} from '../../rules/index.js';
import { loadConfig } from '../../sidecar/config/load.js';
import { policyOf } from '../../sidecar/config/policy.js';
import { additionLines } from '../../sidecar/routing/plan.js';
import { NftablesFirewall } from '../../sidecar/firewall/nftables-firewall.js';

const CLIENTS = 100;

/** guest/endpoint.sh gives it a link layer, for the generator's sake; to the sidecar it is the tunnel. */
const TUNNEL: Tunnel = {
  device: 'tun0',
  addresses: [network('10.8.0.1')],
  connected: [network('10.8.0.0/24')],
  covered: [network('10.8.0.0/24')],
  families: [4],
};

const LINKS: readonly Link[] = [
  {
    device: 'lan0',
    addresses: ['192.0.2.2'],
    onlink: [network('192.0.2.0/24')],
    families: [4],
    hasReversePathFilter: false,
    isBridge: false,
  },
  {
    device: 'lan1',
    addresses: ['198.51.100.1'],
    onlink: [network('198.51.100.0/24')],
    families: [4],
    hasReversePathFilter: false,
    isBridge: false,
  },
];

/** r1, from whom all flows come, and two others. */
const GATEWAYS: readonly Gateway[] = ['02:00:00:00:00:51', '02:00:00:00:00:52', '02:00:00:00:00:55'].map(
  (mac, index) => ({
    id: index + 1,
    device: 'lan0',
    mac,
    sources: [mac],
  }),
);

const [outputDirectory] = process.argv.slice(2);
if (outputDirectory === undefined) throw new Error('expected the directory to write to');
await writeEndpoints(outputDirectory);

async function writeEndpoints(directory: string): Promise<void> {
  const config = await loadConfig(
    { flags: new Map(), env: {}, workingDirectory: '/', defaultConfigFile: '/nonexistent' },
    { endpoints: false },
  );
  if (!config.ok) throw new Error(JSON.stringify(config.problems));
  const policy = policyOf(config.settings);
  const site = {
    policy,
    tunnels: [TUNNEL],
    transports: [{ protocol: 'udp', address: null, families: [4], port: 1194 }],
    links: LINKS,
    gateways: [],
    uplink: null,
    subnetLengths: [],
    clientRouteFamilies: [],
    savedSysctls: [],
  } satisfies Site;
  const withGateways: Site = { ...site, gateways: GATEWAYS, uplink: GATEWAYS[2] ?? null };
  const endpoints = [
    { name: 'nexthop', structure: compileNexthopStructure(withGateways), plan: compileRouting(withGateways) },
    { name: 'module', structure: compileModuleStructure(site), plan: compileModuleRouting(site) },
  ];
  await using nftables = await openNftables({ executor: config.settings.executor });
  for (const { name, structure, plan } of endpoints) {
    const firewall = new NftablesFirewall(nftables, policy.table);
    await firewall.apply(structure, clients());
    const { stdout } = await promisify(execFile)('nft', ['list', 'table', 'inet', policy.table], {
      env: { ...process.env, LC_ALL: 'C' },
    });
    await writeFile(join(directory, `${name}.nft`), stdout);
    await firewall.remove();
    await writeFile(
      join(directory, `${name}.ip`),
      `${additionLines(policy, diffRouting(EMPTY_PLAN, plan), 4).join('\n')}\n`,
    );
  }
  // As sidecar/datapath/module/module-datapath.ts, start().
  const mark = `0x${moduleMark(policy).toString(16)}/0x${policy.markMask.toString(16)}`;
  await writeFile(
    join(directory, 'module.control'),
    `enable\nset reply_mark ${mark}\nset orig_mark ${mark}\nset learn_onlink off\nuplink auto\n`,
  );
}

function clients(): ClientNetworkChange[] {
  return Array.from({ length: CLIENTS }, (_, index) => ({
    op: 'add',
    network: { ...network(`10.8.0.${index + 2}`), device: 'tun0' },
  }));
}

function network(text: string): Network {
  const parsed = parseNetwork(text);
  if (parsed === null) throw new Error(`${text} is no network`);
  return parsed;
}
