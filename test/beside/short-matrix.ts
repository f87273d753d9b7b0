import { type Frame, PROTOCOL } from '../lab/frame.js';
import { runGwmark } from '../lab/sidecar.js';
import { ADDRESS } from '../lab/topology.js';
import { exchange, type Party, ping } from '../lab/traffic.js';
import { FAMILIES, type PartyName, TUNNEL } from '../lab/vpn-lab.js';
import { eventually, slowed } from '../lab/wait.js';
import type { Scene } from './scene.js';

type Family = (typeof FAMILIES)[number];
type Router = 'r1' | 'r2' | 'u';

/** One flow of the matrix. */
interface Case {
  readonly kind: 'ping' | 'tcp' | 'udp';
  readonly from: PartyName;
  readonly to: PartyName;
  /** Who is on the segment's side, and by which routers the endpoint may send to it: the first has to be used. */
  readonly host: 'hostA' | 'hostB';
  readonly routers: readonly Router[];
}

const CASES: readonly Case[] = [
  { kind: 'tcp', from: 'hostA', to: 'client1', host: 'hostA', routers: ['r1'] },
  { kind: 'udp', from: 'hostB', to: 'client1', host: 'hostB', routers: ['r2'] },
  { kind: 'ping', from: 'hostB', to: 'client2', host: 'hostB', routers: ['r2'] },
  { kind: 'tcp', from: 'hostB', to: 'site', host: 'hostB', routers: ['r2'] },
  // Nobody knows the way to a host that a client asks: it goes to the uplink, and to the host's own router once an
  // answer came from there.
  { kind: 'tcp', from: 'client2', to: 'hostB', host: 'hostB', routers: ['u', 'r2'] },
  { kind: 'udp', from: 'client1', to: 'hostB', host: 'hostB', routers: ['u', 'r2'] },
  { kind: 'ping', from: 'client1', to: 'hostA', host: 'hostA', routers: ['u', 'r1'] },
];

/** Addresses that may be asked for by ARP or neighbour discovery: those of cables, not of far hosts. */
const FAR = /^(198\.51\.100\.|203\.0\.113\.|2001:db8:[abc]\d?:|10\.8\.0\.|192\.168\.77\.|fd00:8:|fd00:77:)/;

let nextPort = 21_000;

/** A part of the matrix. */
export interface MatrixOptions {
  /** Exchanges wait for a short time only: it is known that some do not come. */
  readonly isHopeless?: boolean;
  /** Only what hosts open. */
  readonly isOpenedByHosts?: boolean;
}

/**
 * Carries traffic of every kind, both families, both directions, and judges the frames on the endpoint's cables.
 *
 * @returns what does not hold, a sentence each; empty when all does
 */
export async function shortMatrix(scene: Scene, options: MatrixOptions = {}): Promise<readonly string[]> {
  const { result, frames } = await scene.watch(async () => {
    const cases = CASES.filter(({ from, host }) => options.isOpenedByHosts !== true || from === host);
    const runs = FAMILIES.flatMap((family) => cases.map((each) => ({ each, family, port: (nextPort += 1) })));
    const carried = async (
      isTcp: boolean,
    ): Promise<readonly ((typeof runs)[number] & { readonly fault: string | null })[]> =>
      await Promise.all(
        runs
          .filter(({ each }) => (each.kind === 'tcp') === isTcp)
          .map(async (run) => ({ ...run, fault: await carry(scene, run.each, run.family, run.port, options) })),
      );
    // Not at once: TCP fills queues until something is lost, and what is lost of UDP stays lost.
    return [...(await carried(false)), ...(await carried(true))];
  });
  const faults = result.flatMap(({ each, family, port, fault }) =>
    fault === null ? strayFrames(scene, frames, each, family, port) : [`${title(each, family)}: ${fault}`],
  );
  return [
    ...faults,
    ...strayTransport(scene, frames),
    ...farResolved(scene, frames),
    ...(faults.length > 0 ? [] : await strayTrace(scene, options.isOpenedByHosts === true)),
  ];
}

function title({ kind, from, to }: Case, family: Family): string {
  return `${kind} from ${from} to ${to} over IP${family}`;
}

async function carry(
  scene: Scene,
  { kind, from, to }: Case,
  family: Family,
  port: number,
  { isHopeless = false }: MatrixOptions,
): Promise<string | null> {
  const [client, server]: Party[] = [scene.lab.party(from, family), scene.lab.party(to, family)];
  if (client === undefined || server === undefined) return 'no such party';
  if (kind === 'ping') {
    const { received, transmitted, output } = await ping(client, server, {
      count: 2,
      ...(isHopeless ? { waitSeconds: 1 } : {}),
    });
    return received === transmitted ? null : `${received} of ${transmitted} answers: ${output.split('\n')[1] ?? ''}`;
  }
  const result = await exchange(kind, client, server, { port, ...(isHopeless ? { timeoutMs: 2_000 } : {}) });
  return result.ok ? null : result.reason;
}

function strayFrames(
  scene: Scene,
  frames: readonly Frame[],
  each: Case,
  family: Family,
  port: number,
): readonly string[] {
  const { kind, from, to, host, routers } = each;
  const client = scene.lab.party(from === host ? to : from, family).address;
  const address = ADDRESS[host][family];
  const isOwn = (frame: Frame): boolean =>
    scene.endpointMacs.has(frame.sourceMac) &&
    frame.ip?.destination === address &&
    frame.ip.source === client &&
    (kind === 'ping'
      ? frame.icmp !== undefined && (frame.ip.protocol === PROTOCOL.icmp || frame.icmp.type >= 128)
      : frame.ports?.source === port || frame.ports?.destination === port);
  const used = new Set(frames.filter(isOwn).map(({ destinationMac }) => destinationMac));
  const allowed = routers.map((router) => scene.macs[router]);
  if (used.size === 0) return [`${title(each, family)}: no frame to ${address} on the cable`];
  const stray = [...used].filter((mac) => !allowed.includes(mac));
  return stray.length === 0
    ? []
    : [`${title(each, family)}: frames to ${stray.join(', ')}, expected ${allowed.join(' or ')}`];
}

function strayTransport(scene: Scene, frames: readonly Frame[]): readonly string[] {
  const onLink = new Set<string | undefined>(Object.values(ADDRESS.local));
  const own = frames.filter(
    ({ sourceMac, ports, ip }) =>
      scene.endpointMacs.has(sourceMac) &&
      ports !== undefined &&
      scene.transportPorts.has(ports.source) &&
      !onLink.has(ip?.destination),
  );
  const stray = [...new Set(own.map(({ destinationMac }) => destinationMac))].filter((mac) => mac !== scene.macs.u);
  if (own.length === 0) return ["OpenVPN's own packets: none on the cable"];
  return stray.length === 0 ? [] : [`OpenVPN's own packets: frames to ${stray.join(', ')}, expected ${scene.macs.u}`];
}

function farResolved(scene: Scene, frames: readonly Frame[]): readonly string[] {
  const asked = frames
    .filter(({ sourceMac }) => scene.endpointMacs.has(sourceMac))
    .flatMap(({ arp, icmp }) => (arp?.operation === 1 ? [arp.target] : icmp?.type === 135 ? [icmp.target ?? ''] : []));
  return [...new Set(asked)]
    .filter((target) => FAR.test(target))
    .map((target) => `${target} was asked for on the cable, and is far`);
}

/** Trace has to say what the frames show. */
async function strayTrace(scene: Scene, isOpenedByHosts: boolean): Promise<readonly string[]> {
  const { lab, macs } = scene;
  const outer = lab.options.transport.endsWith('6') ? 'v6' : 'v4';
  const proto = lab.options.transport.slice(0, 3);
  const [port = 1194] = scene.transportPorts;
  const questions = [
    {
      isOfClient: false,
      from: 'hostB',
      to: 'client2',
      family: 'v6',
      words: [ADDRESS.hostB.v6, TUNNEL.client2.v6, '--proto', 'icmp'],
      says: new RegExp(`answers of this flow leave \\S+ to ${macs.r2} `),
    },
    {
      isOfClient: true,
      from: 'client1',
      to: 'hostB',
      family: 'v4',
      words: [ADDRESS.hostB.v4, TUNNEL.client1.v4, '--proto', 'icmp'],
      says: new RegExp(
        `what ${TUNNEL.client1.v4} sends to ${ADDRESS.hostB.v4} leaves \\S+ to (${macs.u}|${macs.r2}) |answers of this flow leave \\S+ to (${macs.u}|${macs.r2}) `,
      ),
    },
    {
      isOfClient: false,
      from: 'client1',
      to: 'hostB',
      family: 'v4',
      words: [ADDRESS.client1[outer], lab.served[outer], '--proto', proto, '--dport', String(port)],
      says: new RegExp(`leaves? \\S+ to ${macs.u} `),
    },
  ] as const;
  const faults: string[] = [];
  // One by one: an entry of ICMP lives for 30 s, and has to outlive the start of trace, slow on an emulated machine.
  await lab.topology.endpoint.sysctl(
    ...['icmp', 'icmpv6'].map((protocol) => `net.netfilter.nf_conntrack_${protocol}_timeout=${slowed(30)}`),
  );
  for (const { from, to, family, words, says, isOfClient } of questions) {
    if (isOfClient && isOpenedByHosts) continue;
    let told = '';
    await eventually(
      async () => {
        await ping(lab.party(from, family), lab.party(to, family), { count: 1 });
        const { stdout, stderr } = await runGwmark(lab.topology.endpoint, [
          'trace',
          ...words,
          '--control-socket',
          lab.sidecar.controlSocket,
        ]);
        told = stdout + stderr;
        return says.test(told);
      },
      { what: 'trace', timeoutMs: 5_000 },
    ).catch(() => faults.push(`gwmark trace ${words.join(' ')} does not say where the frames went:\n${told}`));
  }
  return faults;
}
