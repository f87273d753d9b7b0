import { readFileSync, writeFileSync } from 'node:fs';
import type { NftObject, Nftables } from 'nftables-json';
import { exec, tryExec } from '../../lab/process.js';
import { requireOwnNamespace } from '../nftables-json/namespace-guard.js';

/** Runs lines of `ip` (without the word) in order; a line may begin with `-6`. */
export async function ip(...lines: readonly string[]): Promise<void> {
  for (const line of lines) await exec(['ip', ...line.split(' ')]);
}

/** Runs one `ip ARGS` and resolves with its standard output. */
export async function ipShow(args: string): Promise<string> {
  return await exec(['ip', ...args.split(' ')]);
}

/** Runs one `nft ARGS` as another program would. */
export async function nft(...words: readonly string[]): Promise<string> {
  return await exec(['nft', ...words]);
}

/** Empties nftables, the routing policy database and everything made of devices; loopback is up afterwards. */
export async function resetKernel(): Promise<void> {
  requireOwnNamespace();
  await exec(['nft', 'flush', 'ruleset']);
  const devices = JSON.parse(await ipShow('-j link show')) as readonly { readonly ifname: string }[];
  for (const { ifname } of devices) {
    // A veth goes with its peer, and some kernels bring fallback devices that cannot be deleted.
    if (ifname !== 'lo') await tryExec(['ip', 'link', 'del', ifname]);
  }
  for (const family of ['-4', '-6']) {
    await exec(['ip', family, 'rule', 'flush']);
    // `flush` spares only the rule of priority 0.
    await exec(['ip', family, 'rule', 'add', 'pref', '32766', 'lookup', 'main']);
    if (family === '-4') await exec(['ip', family, 'rule', 'add', 'pref', '32767', 'lookup', 'default']);
    await tryExec(['ip', family, 'route', 'flush', 'table', 'all', 'proto', '147']);
  }
  for (const name of ['all', 'default']) writeFileSync(`/proc/sys/net/ipv6/conf/${name}/accept_dad`, '0');
  await ip('link set lo up');
}

/** An Ethernet device with its cable's other end, both up. The peer is named `DEVICEp`. */
export async function makeLan(device: string, ...addresses: readonly string[]): Promise<void> {
  await ip(
    `link add ${device} type veth peer name ${device}p`,
    ...addresses.map((address) => `addr add ${address} dev ${device}`),
    `link set ${device}p up`,
    `link set ${device} up`,
  );
}

/** A tunnel device, up, as OpenVPN would open it. */
export async function makeTunnel(device: string, ...addresses: readonly string[]): Promise<void> {
  await ip(
    `tuntap add dev ${device} mode tun`,
    ...addresses.map((address) => `addr add ${address} dev ${device}`),
    `link set ${device} up`,
  );
}

/** Deletes a device. */
export async function removeDevice(device: string): Promise<void> {
  await ip(`link del ${device}`);
}

/**
 * A listing in which two tables that do the same read the same: without handles, counters and expiry, objects by name,
 * elements sorted; the order of rules within their chain stays.
 */
export async function normalized(nftables: Nftables, table: string | null): Promise<readonly string[]> {
  const objects = await nftables.list(table === null ? { ruleset: null } : { table: { family: 'inet', name: table } });
  const rules = new Map<string, string[]>();
  const others: string[] = [];
  for (const object of objects) {
    const text = JSON.stringify(object, withoutVolatile);
    if ('rule' in object) {
      const chain = `${object.rule.family} ${object.rule.table} ${object.rule.chain}`;
      rules.set(chain, [...(rules.get(chain) ?? []), text]);
    } else others.push(text);
  }
  return [
    ...others.toSorted(),
    ...[...rules].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([chain, texts]) => `${chain}: ${texts.join(' ')}`),
  ];
}

/** Elements of one of our sets or maps as sorted texts. */
export async function elementsOf(nftables: Nftables, table: string, name: string): Promise<readonly string[]> {
  const objects: readonly NftObject[] = await nftables.list({ table: { family: 'inet', name: table } });
  for (const object of objects) {
    if ('set' in object && object.set.name === name)
      return (object.set.elem ?? []).map((element) => JSON.stringify(element, withoutVolatile)).toSorted();
    if ('map' in object && object.map.name === name)
      return (object.map.elem ?? []).map((element) => JSON.stringify(element, withoutVolatile)).toSorted();
  }
  throw new Error(`table ${table} has no set or map ${name}`);
}

/** Reads a sysctl by its path below /proc/sys. */
export function sysctl(path: string): string {
  return readFileSync(`/proc/sys/${path}`, 'utf8').trim();
}

export function setSysctl(path: string, value: string): void {
  writeFileSync(`/proc/sys/${path}`, value);
}

function withoutVolatile(this: unknown, name: string, value: unknown): unknown {
  if (name === 'handle' || name === 'packets' || name === 'bytes' || name === 'expires') return undefined;
  // libnftables lists elements in the order of its hash table.
  return name === 'elem' && Array.isArray(value) ? value.map((element) => JSON.stringify(element)).toSorted() : value;
}
