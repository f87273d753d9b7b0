import { GwmarkError } from '../errors.js';
import type { ExecOptions } from '../system/exec.js';
import { exec } from '../system/exec.js';
import { programLines } from '../system/lines.js';
import type { RefusedLine } from './batch.js';
import { batchInput, readBatch } from './batch.js';
import type { MainRoute } from './kernel-routing.js';

/** What `ip -j -d addr show` prints of one device, as far as we read it. */
export interface IpDevice {
  readonly ifindex: number;
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly link_type: string;
  readonly mtu?: number;
  readonly address?: string;
  /** The bridge, bond or VRF of the device. */
  readonly master?: string;
  readonly operstate?: string;
  /** The device below a VLAN device. */
  readonly link?: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_slave_kind?: string;
    readonly info_data?: {
      readonly type?: string;
      /** Of a bridge: 1 if it keeps VLANs apart. */
      readonly vlan_filtering?: number;
      /** Of a VLAN device: its protocol and number. */
      readonly protocol?: string;
      readonly id?: number;
    };
  };
  readonly addr_info?: readonly {
    readonly family: string;
    readonly local: string;
    readonly prefixlen: number;
    readonly scope: string;
  }[];
}

/** What `ip -j rule show` prints of one rule. */
export interface IpRule {
  readonly priority: number;
  readonly src: string;
  readonly srclen?: number;
  readonly dst?: string;
  readonly dstlen?: number;
  readonly iif?: string;
  readonly fwmark?: string;
  readonly fwmask?: string;
  readonly ipproto?: string;
  readonly sport?: number;
  readonly dport?: number;
  readonly dport_start?: number;
  readonly dport_end?: number;
  readonly suppress_prefixlen?: number;
  readonly goto?: number;
  readonly table?: string;
  readonly protocol?: string;
}

/** What `ip -j route show` prints of one route. */
export interface IpRoute {
  /** Absent for a unicast route; a number under `-N`. */
  readonly type?: string;
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  /** The source that a packet without one gets; of `ip route get` always there. */
  readonly prefsrc?: string;
  /** Of a multipath route, which has no `dev`. */
  readonly nexthops?: readonly { readonly dev?: string }[];
  readonly table?: string;
  readonly protocol?: string;
}

/** What `ip -j neigh show` prints of one neighbour. */
export interface IpNeighbour {
  readonly dst: string;
  readonly dev: string;
  readonly lladdr?: string;
  readonly state: readonly string[];
  readonly protocol?: string;
  /** It said that it is a router. */
  readonly router?: null;
  /** Another program entered it. */
  readonly extern_learn?: null;
}

/**
 * Runs `ip -j ARGS` and parses what it prints. An empty answer is an empty list.
 *
 * Whoever compares protocols or tables passes `-N`: they stay numbers then, whatever names /etc/iproute2 and
 * /etc/protocols have for them. Types of devices become numbers too.
 *
 * @throws GwmarkError ROUTING_UNAVAILABLE when there is no `ip`, ROUTING_FAILED when it refuses.
 */
export async function ipJson<T>(args: readonly string[]): Promise<readonly T[]> {
  const { exitCode, stdout, stderr } = await runIp(['-j', ...args]);
  if (exitCode !== 0) throw new GwmarkError('ROUTING_FAILED', `ip ${args.join(' ')}: ${firstLine(stderr)}`);
  // The parse border: the shape is iproute2's, and the interfaces above name only what has been there since 5.x.
  return stdout.trim() === '' ? [] : (JSON.parse(stdout) as T[]);
}

/**
 * What `ip` says when the device that a line or an option names is not there, or not up: it may have just disappeared.
 */
const DEVICE_GONE = /Cannot find device|No such device|Device for nexthop is not up|Network is down/;

/** True if `ip` failed because a device is gone. */
export function isDeviceGone(error: unknown): boolean {
  return error instanceof GwmarkError && error.code === 'ROUTING_FAILED' && DEVICE_GONE.test(error.message);
}

/**
 * Asks the kernel where it would send packets of its own to these addresses: `ip route get`, all in one process.
 *
 * @returns the device by address; without addresses that have no route
 * @throws GwmarkError ROUTING_UNAVAILABLE when there is no `ip`
 */
export async function routesTo(family: 4 | 6, addresses: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const input = addresses.map((address) => `route get ${address}\n`).join('');
  const { stdout } = await runIp([`-${family}`, '-j', '-force', '-batch', '-'], {
    input,
    timeoutMs: 30_000 + addresses.length * 2,
  });
  // One answer per line; for a question that the kernel rejects, nothing on standard output.
  const routes = stdout
    .split('\n')
    .filter((line) => line.trim().startsWith('['))
    .flatMap((line) => JSON.parse(line) as IpRoute[]);
  return new Map(routes.flatMap(({ dst, dev }) => (dev === undefined ? [] : [[dst, dev]])));
}

/**
 * Runs lines of one family by `ip -batch`: one, and one more for each refused neighbour that was tolerated. The lines
 * before a refused one stay applied.
 *
 * @param tolerate when given, refused lines are passed over if the reason matches; others still fail, after the rest
 * was run
 * @throws GwmarkError ROUTING_FAILED naming the first refused line
 */
export async function ipBatch(family: 4 | 6, lines: readonly string[], tolerate?: RegExp): Promise<void> {
  const args = [`-${family}`, '-o', ...(tolerate === undefined ? [] : ['-force']), '-batch', '-'];
  let failure: RefusedLine | undefined;
  let rest = lines;
  while (rest.length > 0) {
    // A line takes some 60 microseconds; a loaded machine may need twenty times as long.
    const timeoutMs = 30_000 + rest.length * 2;
    const outcome = readBatch(rest, await runIp(args, { input: batchInput(rest), timeoutMs }));
    failure ??= outcome.refused.find(({ reason }) => tolerate?.test(reason) !== true);
    rest = tolerate === undefined ? [] : outcome.rest;
  }
  if (failure !== undefined)
    throw new GwmarkError('ROUTING_FAILED', `ip -${family} ${failure.line}: ${failure.reason}`);
}

/** A route in one line of `ip -N -o route show table all`. */
export type RouteInTable = Pick<IpRoute, 'dst' | 'table' | 'protocol'>;

/**
 * Reads every route of a family, of every table and protocol, and keeps the requested ones. In constant memory:
 * a router of the Internet has a million of them, and the kernel can leave out none by a range of tables.
 *
 * @throws GwmarkError ROUTING_UNAVAILABLE when there is no `ip`, ROUTING_FAILED when it refuses.
 */
export async function filterRoutes(
  family: 4 | 6,
  keep: (route: RouteInTable) => boolean,
): Promise<readonly RouteInTable[]> {
  return keptLines(['-N', `-${family}`, '-o', 'route', 'show', 'table', 'all'], (line) => {
    const route = parseRouteLine(line);
    return route !== null && keep(route) ? route : null;
  });
}

/** See {@link KernelRouting.mainRoutes}: by spawned `ip`. */
export async function readMainRoutes(tunnels: readonly string[]): Promise<readonly MainRoute[]> {
  const routes: MainRoute[] = [];
  // One spawn after the other: each stops the event loop for some milliseconds, and clients wait for it.
  for (const family of [4, 6] as const) {
    // Routes of IPv6 have no scope.
    const scope = family === 4 ? ['scope', 'link'] : [];
    routes.push(
      ...(await keptLines(['-N', `-${family}`, '-o', 'route', 'show', 'table', 'main', ...scope], parseOnlinkRoute)),
    );
    for (const tunnel of tunnels) routes.push(...(await routesOfTunnel(family, tunnel)));
  }
  return routes;
}

async function routesOfTunnel(family: 4 | 6, device: string): Promise<MainRoute[]> {
  try {
    const routes = await ipJson<IpRoute>([`-${family}`, 'route', 'show', 'dev', device]);
    return routes.flatMap(({ dst }) => (dst === 'default' ? [] : [{ dst, device, isOnlink: false }]));
  } catch (error) {
    if (isDeviceGone(error)) return [];
    throw error;
  }
}

/** Null for a line that is no such route. Pure. */
export function parseOnlinkRoute(line: string): MainRoute | null {
  const [, dst, device] =
    /^([0-9a-f]*[.:][0-9a-f.:]*(?:\/\d+)?) (?!.*\b(?:via|nexthop|dead)\b).*?\bdev (\S+)/.exec(`${line} `) ?? [];
  return dst === undefined || device === undefined ? null : { dst, device, isOnlink: true };
}

async function keptLines<T>(args: readonly string[], read: (line: string) => T | null): Promise<readonly T[]> {
  const kept: T[] = [];
  const lines = programLines('ip', args);
  let next = await lines.next().catch((error: unknown) => {
    throw unavailable(error);
  });
  for (; next.done !== true; next = await lines.next()) {
    const item = read(next.value);
    if (item !== null) kept.push(item);
  }
  const { exitCode, stderr } = next.value;
  if (exitCode !== 0) throw new GwmarkError('ROUTING_FAILED', `ip ${args.join(' ')}: ${firstLine(stderr)}`);
  return kept;
}

/**
 * `[TYPE] DST ... table 7710 proto 119 ...`; the table main is not printed. Null for a line that is no route. Pure.
 */
export function parseRouteLine(line: string): RouteInTable | null {
  const dst = /^(?:[a-z0-9]+ )?(default|[0-9a-f]*[.:][0-9a-f.:]*(?:\/\d+)?) /.exec(line)?.[1];
  if (dst === undefined) return null;
  const table = / table (\d+)/.exec(line)?.[1];
  const protocol = / proto (\d+)/.exec(line)?.[1];
  return { dst, ...(table === undefined ? {} : { table }), ...(protocol === undefined ? {} : { protocol }) };
}

async function runIp(args: readonly string[], options: ExecOptions = {}): ReturnType<typeof exec> {
  try {
    const result = await exec('ip', args, options);
    if (result.exitCode === 0 || !result.stderr.includes('BusyBox')) return result;
  } catch (error) {
    throw unavailable(error);
  }
  throw new GwmarkError(
    'ROUTING_UNAVAILABLE',
    `the program ip is that of BusyBox, which does not support \`ip ${args.join(' ')}\`: install iproute2 5.10 or later`,
  );
}

function unavailable(error: unknown): GwmarkError {
  return new GwmarkError('ROUTING_UNAVAILABLE', `cannot run the program ip: ${(error as Error).message}`, {
    cause: error,
  });
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
