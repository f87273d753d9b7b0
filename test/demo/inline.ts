// The demo of the inline topology, shown in words. Prints "demo: ok" and exits with 0 only if every claim was
// verified.
import { release } from 'node:os';

import type { Frame } from '../lab/frame.js';
import type { InlineBox } from '../lab/inline.js';
import { InlineLab, insertModule, removeModule } from '../lab/inline-lab.js';
import { networkState } from '../lab/network-state.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { exchange, type Party, ping } from '../lab/traffic.js';
import { FAMILIES, TUNNEL } from '../lab/vpn-lab.js';
import { eventually } from '../lab/wait.js';
import { chapter, perform, quote, say, step, table, verify } from './narrator.js';

const PICTURE = `
  host 198.51.100.2 -- r2 192.0.2.2 --- [ p1 --- br0 --- p2 ] --- r1 192.0.2.1 --+-- client1 203.0.113.2
  2001:db8:a::2        ${MAC.r2}      192.0.2.10        ${MAC.r1}  |      with 192.168.77.0/24 behind it
                                          2001:db8::10                           +-- client2 2001:db8:c2::2
                                          OpenVPN, gwmark                        |
                                          tun0 10.8.0.1, fd00:8::1               +-- away 198.51.100.130
                                                                                     no business with the VPN`;

const ROUTER_NAMES: Readonly<Record<string, string>> = {
  [MAC.r1]: 'r1, the upstream router',
  [MAC.r2]: 'r2, the site router',
};
/** Everything that only the VPN knows, and the endpoint itself: no route may mention it. */
const MENTIONS_VPN = /10\.8\.0|fd00:8:|192\.168\.77|fd00:77:|192\.0\.2\.10\b|2001:db8::10\b/;
const TRANSFER_BYTES = 500_000;

/** `nexthop` runs anywhere, `module` in a kernel of its own. */
export type InlineDatapath = 'nexthop' | 'module';

/** One try of the demo: who opens what to whom. */
interface Attempt {
  readonly what: string;
  readonly from: Party;
  readonly to: Party;
  readonly kind: 'ping' | 'tcp' | 'udp';
  /** The router that the endpoint's frames for the host go to; null when they do not concern the endpoint at all. */
  readonly via: string | null;
}

/** Next hops of the datapath `nexthop`, which exist only as permanent neighbours. */
const STAND_IN = / via (169\.254\.119\.|fe80::6777:6d61:726b:)/;

/**
 * Runs the whole story on a lab that the caller disposes.
 *
 * @throws DemoFailure at the first claim that is not so
 */
export async function tellInline(lab: InlineLab, datapath: InlineDatapath): Promise<void> {
  const isModule = datapath === 'module';
  const pristine = await networkState(lab.endpoint);

  chapter(`The topology: every box is a network namespace, OpenVPN is the real one, Linux is ${release()}`);
  say(PICTURE);

  chapter('The routes: nobody knows of the VPN');
  await showRoutes(lab);

  chapter(`Without ${isModule ? 'gwmark.ko' : 'gwmark'} the endpoint is a plain bridge`);
  await showDatagramsWithoutAnswer(lab);

  chapter(isModule ? 'With gwmark.ko and the sidecar' : 'With the sidecar, which needs no kernel module');
  if (isModule) await step('insmod gwmark.ko', insertModule);
  say('     gwmark run --management unix:management.sock');
  await step('starting the sidecar', async () => await lab.startSidecar('--datapath', datapath));
  await step(
    'connecting client1 (over IPv4) and client2 (over IPv6)',
    async () => await lab.connect('client1', 'client2'),
  );
  await showTraffic(lab);
  await showUntouched(lab);

  chapter('What the sidecar knows (gwmark status)');
  await showStatus(lab, datapath);

  chapter('The routes again');
  await showRoutes(lab);

  await (isModule ? showUnloading(lab) : showKill(lab));

  chapter('The clean-up (gwmark down)');
  await step('stopping the sidecar', async () => await lab.sidecar.stop());
  await step('removing what it made', async () => await lab.sidecar.down());
  const state = await networkState(lab.endpoint);
  const changed = Object.keys(pristine).filter((name) => pristine[name] !== state[name]);
  verify(
    changed.length === 0,
    `ruleset, rules, routes, neighbours and settings are as before gwmark came${changed.length === 0 ? '' : `: not ${changed.join(', ')}`}`,
  );
}

async function showKill(lab: InlineLab): Promise<void> {
  chapter('The sidecar killed (kill -9)');
  await step('killing it', async () => await lab.sidecar.killHard());
  const pings = attempts(lab).filter(({ kind }) => kind === 'ping');
  for (const attempt of pings) verify(await isThrough(attempt), `goes on: ${attempt.what}`);
  await step('starting it again', async () => {
    await lab.sidecar.restart();
    await lab.known('client1', 'client2');
  });
  for (const attempt of pings) verify(await isThrough(attempt), attempt.what);
}

async function showUnloading(lab: InlineLab): Promise<void> {
  chapter('The module unloaded');
  await step('rmmod gwmark', removeModule);
  for (const attempt of attempts(lab).filter(({ kind }) => kind === 'ping'))
    verify(!(await isThrough(attempt, 0.05)), `fails, as expected: ${attempt.what}`);
  verify(await isThrough(passing(lab)[0]), "the site's own traffic still passes the bridge");
  const { ready } = await lab.sidecar.statusWhere((status) => !status.ready, 'the sidecar notices');
  verify(!ready, 'the sidecar says that it is not ready');

  chapter('The module loaded again: the sidecar sets it up by itself');
  await step('insmod gwmark.ko', insertModule);
  await step(
    'waiting for the sidecar to be ready',
    async () => await lab.sidecar.statusWhere((status) => status.ready, 'ready'),
  );
  for (const attempt of attempts(lab)
    .filter(({ kind }) => kind === 'ping')
    .slice(0, 2)) {
    verify(
      await eventually(async () => await isThrough(attempt), { what: attempt.what, timeoutMs: 20_000 }),
      attempt.what,
    );
  }
}

async function showRoutes(lab: InlineLab): Promise<void> {
  const boxes = {
    r2: 'the site router',
    endpoint: 'the bridge',
    r1: 'the upstream router',
  } as const satisfies Partial<Record<InlineBox, string>>;
  for (const [box, title] of Object.entries(boxes) as [keyof typeof boxes, string][]) {
    const routes = (await lab.topology.routes(box)).split('\n').filter((route) => !route.startsWith('fe80'));
    say(`     ${box}, ${title}:`);
    quote(routes.map((route) => `  ${route}`).join('\n'));
    if (box === 'endpoint') {
      // Its own tunnel is its own business; no packet leaves by a router because of a route.
      const toWire = routes.filter(
        (route) =>
          !STAND_IN.test(route) &&
          (/ via /.test(route) ||
            (/dev (br0|p1|p2)/.test(route) &&
              !/^(192\.0\.2\.0\/24|2001:db8::\/64|default dev br0 table)/.test(route))),
      );
      verify(
        toWire.length === 0,
        'the bridge has no route by the address of a router, and none to anything far on its cable',
      );
    } else {
      verify(!routes.some((route) => MENTIONS_VPN.test(route)), `no route of ${box} mentions the VPN or the endpoint`);
    }
  }
}

async function showDatagramsWithoutAnswer(lab: InlineLab): Promise<void> {
  await using capture = await lab.capture('r1', 'udp port 1194');
  const client = await lab.launchClient('client1');
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
  await client.stop();
  verify(
    asked.every((frame) => frame.sourceMac !== MAC.endpoint),
    'its datagrams arrive, and not one answer leaves: OpenVPN has no route to client1',
  );
  for (const attempt of passing(lab)) verify(await isThrough(attempt), attempt.what);
}

/** Makes each attempt and reads from both cables where every frame of the endpoint went. */
async function showTraffic(lab: InlineLab): Promise<void> {
  const rows: string[][] = [['what', 'frames of the endpoint went to', 'which is']];
  for (const attempt of attempts(lab)) {
    await using atR1 = await lab.capture('r1');
    await using atR2 = await lab.capture('r2');
    verify(await isThrough(attempt), attempt.what);
    const host =
      [attempt.from, attempt.to].find(({ namespace }) => namespace === lab.topology.boxes.host)?.address ?? '';
    const frames = [...(await atR1.frames()), ...(await atR2.frames())];
    const macs = macsToward(frames, host);
    rows.push([
      attempt.what,
      macs.join(' '),
      macs.map((mac) => ROUTER_NAMES[mac] ?? 'nobody we know').join(', then '),
    ]);
    if (attempt.via === MAC.r2)
      verify(macs.length === 1 && macs[0] === MAC.r2, `every answer for ${host} carried the MAC of r2`);
    else
      verify(
        macs[0] === MAC.r1 && macs.at(-1) === MAC.r2,
        `the first packet for ${host} went to r1, and what followed its answer to r2`,
      );
    verify(asksOf(frames).length === 0, 'the endpoint asked nobody for a far address');
  }
  await using datagrams = await lab.capture('r1', 'port 1194');
  await ping(lab.party('host', 'v4'), lab.party('client1', 'v4'), { count: 2 });
  const macs = macsToward(await datagrams.frames(), ADDRESS.client1.v4);
  rows.push([
    "OpenVPN's own datagrams to client1",
    macs.join(' '),
    macs.map((mac) => ROUTER_NAMES[mac] ?? 'nobody we know').join(', '),
  ]);
  verify(macs.length === 1 && macs[0] === MAC.r1, "OpenVPN's own datagrams carried the MAC of r1");
  say();
  table(rows);
}

async function showUntouched(lab: InlineLab): Promise<void> {
  for (const attempt of passing(lab)) {
    const filter = `host ${attempt.to.address}`;
    await using atR1 = await lab.capture('r1', filter, 70_000);
    await using atR2 = await lab.capture('r2', filter, 70_000);
    verify(await isThrough(attempt), attempt.what);
    const [there, here] = [await atR1.frames(), await atR2.frames()];
    const isSame = [MAC.r1, MAC.r2].every((mac) => textOf(there, mac) === textOf(here, mac));
    verify(
      isSame && there.length > 0,
      `its ${there.length} frames are the same on both sides of the bridge, byte for byte: MACs, TTL and all`,
    );
  }
}

async function showStatus(lab: InlineLab, datapath: InlineDatapath): Promise<void> {
  const status = await lab.sidecar.status();
  table([
    ['client', 'addresses'],
    ...status.clients.map(({ commonName, addresses }) => [commonName, addresses.join(', ')]),
  ]);
  say();
  table([
    ['gateway', 'device', 'MAC', 'which is'],
    ...status.gateways.map(({ id, device, mac }) => [
      `${id}${id === status.uplink ? ' (uplink)' : ''}`,
      device,
      mac,
      ROUTER_NAMES[mac] ?? '',
    ]),
  ]);
  verify(status.datapath === datapath, `the datapath is ${datapath}`);
}

function attempts(lab: InlineLab): readonly Attempt[] {
  const both = FAMILIES.flatMap((family): Attempt[] => [
    {
      kind: 'ping',
      what: `ping from host to client1, IP${family}`,
      from: lab.party('host', family),
      to: lab.party('client1', family),
      via: MAC.r2,
    },
    {
      kind: 'tcp',
      what: `TCP transfer of ${TRANSFER_BYTES / 1e6} MB there and back, host to client2, IP${family}`,
      from: lab.party('host', family),
      to: lab.party('client2', family),
      via: MAC.r2,
    },
  ]);
  return [
    ...both,
    {
      kind: 'ping',
      what: 'ping from host to the host behind client1, IPv4',
      from: lab.party('host', 'v4'),
      to: lab.party('site', 'v4'),
      via: MAC.r2,
    },
    {
      kind: 'udp',
      what: 'UDP datagrams from host to client1, IPv6',
      from: lab.party('host', 'v6'),
      to: lab.party('client1', 'v6'),
      via: MAC.r2,
    },
    {
      kind: 'tcp',
      what: `TCP transfer of ${TRANSFER_BYTES / 1e6} MB there and back, client2 to host, IPv6`,
      from: lab.party('client2', 'v6'),
      to: lab.party('host', 'v6'),
      via: null,
    },
  ];
}

/** Traffic that passes the bridge and is none of our business. */
function passing(lab: InlineLab): readonly [Attempt, Attempt] {
  return [
    {
      kind: 'ping',
      what: 'ping from host to away, IPv4',
      from: lab.party('host', 'v4'),
      to: lab.party('away', 'v4'),
      via: null,
    },
    {
      kind: 'tcp',
      what: 'TCP transfer there and back, host to away, IPv6',
      from: lab.party('host', 'v6'),
      to: lab.party('away', 'v6'),
      via: null,
    },
  ];
}

/** Whether every ping, or every byte, came back. */
async function isThrough(attempt: Attempt, waitSeconds = 2): Promise<boolean> {
  const { kind, from, to } = attempt;
  if (kind === 'ping') return (await ping(from, to, { count: 1, waitSeconds })).received === 1;
  const isPassing = attempt.via === null && !Object.values(TUNNEL).some((address) => address.v6 === from.address);
  return (
    await exchange(kind, from, to, {
      timeoutMs: 10_000,
      ...(kind === 'tcp' ? { bytes: isPassing ? 50_000 : TRANSFER_BYTES } : {}),
    })
  ).ok;
}

/** The MACs that the endpoint's frames for an address had, in the order of their first use. */
function macsToward(frames: readonly Frame[], address: string): readonly string[] {
  const sent = frames.filter((frame) => frame.sourceMac === MAC.endpoint && frame.ip?.destination === address);
  return [...new Set(sent.toSorted((a, b) => a.timeSeconds - b.timeSeconds).map((frame) => frame.destinationMac))];
}

/** Far addresses that the endpoint asked ARP or neighbour discovery for. */
function asksOf(frames: readonly Frame[]): readonly string[] {
  const asked = frames
    .filter(({ sourceMac }) => sourceMac === MAC.endpoint)
    .map(({ arp, icmp }) => (arp?.operation === 1 ? arp.target : icmp?.type === 135 ? icmp.target : undefined));
  return asked
    .filter((address) => address !== undefined)
    .filter((address) => !/^(192\.0\.2\.|2001:db8::|fe80:)/.test(address));
}

function textOf(frames: readonly Frame[], sourceMac: string): string {
  return frames
    .filter((frame) => frame.sourceMac === sourceMac)
    .map(({ bytes }) => bytes.toString('hex'))
    .join('\n');
}

/** The demo as a program; resolves with its exit code. */
export async function main(datapath: InlineDatapath): Promise<number> {
  return await perform({
    scene: 'eight network namespaces, a certificate authority and an OpenVPN server',
    create: async () => await InlineLab.create(),
    tell: async (lab) => await tellInline(lab, datapath),
  });
}
