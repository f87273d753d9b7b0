// The demo: one-arm topology, shown in words. Prints "demo: ok" and exits with 0 only if every claim was verified.
import { networkState } from '../lab/network-state.js';
import type { Frame } from '../lab/frame.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { exchange, type Party, ping } from '../lab/traffic.js';
import { FAMILIES, TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { eventually } from '../lab/wait.js';
import { chapter, perform, quote, say, step, table, verify } from './narrator.js';

const PICTURE = `
  hostA 198.51.100.2 ---- r1 192.0.2.1 ------+
  2001:db8:a::2           ${MAC.r1}  |           endpoint  192.0.2.10, 2001:db8::10
                                             |                     OpenVPN server, gwmark
  hostB 198.51.100.130 -- r2 192.0.2.2 ------+- switch - one cable, no routes
  2001:db8:b::2           ${MAC.r2}  |
                                             |           VPN 10.8.0.0/24, fd00:8::/64
  client1 203.0.113.2 ----+                  |           behind client1: 192.168.77.0/24
                          +- u 192.0.2.254 --+
  client2 203.0.113.130 --+  ${MAC.u}`;

const ROUTER_NAMES: Readonly<Record<string, string>> = {
  [MAC.r1]: 'r1',
  [MAC.r2]: 'r2',
  [MAC.u]: 'u, the upstream router',
};
const TRANSFER_BYTES = 2_000_000;

/**
 * When the clock was started, seconds since 1970: by scripts/demo.sh, or before the clone by scripts/quickstart.sh.
 */
const STARTED_AT = Number(process.env['DEMO_STARTED_AT'] ?? Number.NaN);

/** One try of the demo: who opens what to whom. */
interface Attempt {
  readonly what: string;
  readonly from: Party;
  readonly to: Party;
  readonly kind: 'ping' | 'tcp';
}

/** What follows the story, while everything still runs. */
type Epilogue = (lab: VpnLab) => Promise<void>;

/** Runs the whole story on a lab that the caller disposes. @throws DemoFailure at the first claim that is not so. */
export async function tellOneArm(lab: VpnLab, epilogue: Epilogue = async () => undefined): Promise<void> {
  const { endpoint } = lab.topology;
  const pristine = await networkState(endpoint);

  chapter('The topology: every box is a network namespace, OpenVPN is the real one');
  say(PICTURE);

  chapter("The endpoint's routing table: its own link and the tunnel, nothing else");
  const routes = await endpoint.run(['ip', 'route', 'show']);
  quote(routes);
  quote(await endpoint.run(['ip', '-6', 'route', 'show']));
  verify(!/default|via/.test(routes), 'there is no default route and no route via a router');

  chapter('Without gwmark');
  const client = await lab.launchClient('client1');
  await showDatagramsWithoutAnswer(lab);
  await client.stop();
  await withTransportRoute(lab);

  chapter('With gwmark');
  say('     gwmark run --management unix:management.sock');
  await step('starting the sidecar', async () => await lab.startSidecar());
  await step('connecting client1 and client2', async () => await lab.connect('client1', 'client2'));
  await step('each router says hello to the endpoint once', async () => await lab.introduceRouters());
  await showTraffic(lab);

  chapter('What the sidecar knows (gwmark status)');
  const status = await lab.sidecar.status();
  table([['client', 'addresses'], ...status.clients.map((entry) => [entry.commonName, entry.addresses.join(', ')])]);
  say();
  table([
    ['gateway', 'device', 'MAC', 'addresses'],
    ...status.gateways.map((gateway) => [
      `${gateway.id}${gateway.id === status.uplink ? ' (uplink)' : ''}`,
      gateway.device,
      gateway.mac,
      gateway.addresses.join(', '),
    ]),
  ]);
  const routesNow = await endpoint.run(['ip', 'route', 'show']);
  verify(routesNow === routes, "the endpoint's routing table is what it was");

  await epilogue(lab);

  chapter('The clean-up (gwmark down)');
  await step('stopping the sidecar', async () => await lab.sidecar.stop());
  await step('removing what it made', async () => await lab.sidecar.down());
  const state = await networkState(endpoint);
  const changed = Object.keys(pristine).filter((name) => pristine[name] !== state[name]);
  verify(
    changed.length === 0,
    `ruleset, rules, routes, neighbours and settings are as before gwmark came${changed.length === 0 ? '' : `: not ${changed.join(', ')}`}`,
  );
}

async function showDatagramsWithoutAnswer(lab: VpnLab): Promise<void> {
  await using capture = await lab.capture('udp port 1194');
  const asked = await step(
    "client1 calls the endpoint's OpenVPN",
    async () =>
      await eventually(
        async () => {
          const frames = await capture.frames();
          return frames.filter((frame) => frame.destinationMac === MAC.endpoint).length >= 2 && frames;
        },
        { what: 'two datagrams of client1 at the endpoint', timeoutMs: 20_000 },
      ),
  );
  verify(
    asked.every((frame) => frame.sourceMac !== MAC.endpoint),
    'its datagrams arrive, and not one answer leaves: OpenVPN has no route to client1',
  );
}

/**
 * Gives the endpoint the one route that lets clients connect, shows that hosts still get nothing, and takes it away
 * again.
 */
async function withTransportRoute(lab: VpnLab): Promise<void> {
  const { endpoint } = lab.topology;
  const route = `203.0.113.0/24 via ${ADDRESS.u.v4}`;
  say(`     even with a route for the clients' own addresses (ip route add ${route}):`);
  await endpoint.ip(`route add ${route}`);
  try {
    await step('connecting client1 and client2', async () => await lab.connect('client1', 'client2'));
    const tunnel = await ping({ namespace: endpoint, address: TUNNEL.endpoint.v4 }, { address: TUNNEL.client1.v4 });
    verify(tunnel.received > 0, 'the tunnel is up: the endpoint itself reaches client1');
    const outcomes = await step(
      'trying pings and a TCP transfer',
      async () =>
        await Promise.all(
          attempts(lab).map(async (attempt, index) => ({ attempt, ok: await isThrough(attempt, index) })),
        ),
    );
    for (const { attempt, ok } of outcomes) verify(!ok, `fails, as expected: ${attempt.what}`);
    await Promise.all([lab.client('client1').stop(), lab.client('client2').stop()]);
  } finally {
    await endpoint.ip(`route del ${route}`);
  }
}

/** Makes the same attempts again, one after the other, and reads from the wire where every answer went. */
async function showTraffic(lab: VpnLab): Promise<void> {
  const rows: string[][] = [['what', 'answers of the endpoint went to', 'which is']];
  for (const [index, attempt] of attempts(lab).entries()) {
    // What the attempts without gwmark left behind may still be under way.
    await using capture = await lab.capture(attempt.kind === 'ping' ? 'icmp or icmp6' : `tcp port ${portOf(index)}`);
    const ok = await isThrough(attempt, index, 10_000);
    verify(ok, attempt.what);
    const far =
      attempt.from.namespace === lab.topology.hostA || attempt.from.namespace === lab.topology.hostB
        ? attempt.from
        : attempt.to;
    const macs = macsToward(await capture.frames(), far.address);
    rows.push([attempt.what, macs.join(' '), macs.map((mac) => ROUTER_NAMES[mac] ?? 'nobody we know').join(', ')]);
    const router = far.namespace === lab.topology.hostA ? MAC.r1 : MAC.r2;
    // What a client opens begins at the uplink; each of its pings is a flow of its own.
    const expected = far !== attempt.to ? [router] : attempt.kind === 'ping' ? [MAC.u] : [MAC.u, router];
    const isExpected = macs.length === expected.length && expected.every((mac) => macs.includes(mac));
    verify(
      isExpected,
      `every frame for ${far.address} carried the MAC of ${expected.map((mac) => ROUTER_NAMES[mac]).join(', and once answered of ')}${isExpected ? '' : `: not [${macs.join(', ')}]`}`,
    );
    // scripts/quickstart.sh reads this line.
    if (index === 0 && !Number.isNaN(STARTED_AT))
      say(
        `     from the start to a connected client with returned traffic: ${Math.round(Date.now() / 1000 - STARTED_AT)} s`,
      );
  }
  await using capture = await lab.capture('udp port 1194');
  await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'), { count: 2 });
  const macs = macsToward(await capture.frames(), ADDRESS.client1.v4);
  rows.push([
    "OpenVPN's own datagrams to client1",
    macs.join(' '),
    macs.map((mac) => ROUTER_NAMES[mac] ?? 'nobody we know').join(', '),
  ]);
  verify(macs.length === 1 && macs[0] === MAC.u, "OpenVPN's own datagrams carried the MAC of u, the upstream router");
  say();
  table(rows);
}

function attempts(lab: VpnLab): readonly Attempt[] {
  const pings = FAMILIES.flatMap((family): Attempt[] => [
    {
      kind: 'ping',
      what: `ping from hostA to client1, IP${family}`,
      from: lab.party('hostA', family),
      to: lab.party('client1', family),
    },
    {
      kind: 'ping',
      what: `ping from hostB to client2, IP${family}`,
      from: lab.party('hostB', family),
      to: lab.party('client2', family),
    },
  ]);
  return [
    ...pings,
    {
      kind: 'ping',
      what: 'ping from client1 to hostB, IPv4',
      from: lab.party('client1', 'v4'),
      to: lab.party('hostB', 'v4'),
    },
    {
      kind: 'ping',
      what: 'ping from hostB to the host behind client1, IPv4',
      from: lab.party('hostB', 'v4'),
      to: lab.party('site', 'v4'),
    },
    {
      kind: 'tcp',
      what: `TCP transfer of ${TRANSFER_BYTES / 1e6} MB there and back, hostA to client1, IPv4`,
      from: lab.party('hostA', 'v4'),
      to: lab.party('client1', 'v4'),
    },
    {
      kind: 'tcp',
      what: `TCP transfer of ${TRANSFER_BYTES / 1e6} MB there and back, client2 to hostA, IPv6`,
      from: lab.party('client2', 'v6'),
      to: lab.party('hostA', 'v6'),
    },
  ];
}

/** Whether every ping, or every byte, came back. `index` keeps the ports of attempts at the same time apart. */
async function isThrough(attempt: Attempt, index: number, timeoutMs = 2_000): Promise<boolean> {
  if (attempt.kind === 'ping')
    return (await ping(attempt.from, attempt.to, { count: 2, waitSeconds: 1 })).received === 2;
  return (await exchange('tcp', attempt.from, attempt.to, { bytes: TRANSFER_BYTES, timeoutMs, port: portOf(index) }))
    .ok;
}

/** A port for each attempt. */
function portOf(index: number): number {
  return 9_100 + index;
}

function macsToward(frames: readonly Frame[], address: string): readonly string[] {
  const sent = frames.filter((frame) => frame.sourceMac === MAC.endpoint && frame.ip?.destination === address);
  return [...new Set(sent.map((frame) => frame.destinationMac))];
}

/** The demo as a program; resolves with its exit code. */
export async function main(epilogue?: Epilogue): Promise<number> {
  return await perform({
    scene: 'eleven network namespaces, a certificate authority and an OpenVPN server',
    create: async () => await VpnLab.create({ transport: 'udp4' }),
    tell: async (lab) => await tellOneArm(lab, epilogue),
  });
}
