import { open, readFile } from 'node:fs/promises';
import { GwmarkError } from '../../errors.js';
import { exec } from '../../system/exec.js';

/** The ABI that this sidecar speaks: GWMARK_ABI of module/include/uapi/gwmark.h, which is the manual of all that follows. */
export const MODULE_ABI = 1;

const DIRECTORY = '/proc/net/gwmark';

/** Files that the module shows in every network namespace. */
export type ModuleFile = 'config' | 'control' | 'flows' | 'gateways' | 'stats';

/** One line of `gateways`. */
export interface ModuleGateway {
  /** Slot and generation: a number up to 2^32 - 1. */
  readonly id: number;
  readonly device: string;
  /** What its frames bear. */
  readonly mac: string;
  /** Where packets go; differs from `mac` after a move. */
  readonly send: string;
  readonly isUplink: boolean;
  /** Flows that were learnt as it. */
  readonly learned: bigint;
  readonly sentPackets: bigint;
  readonly sentBytes: bigint;
  readonly moves: bigint;
  /** Milliseconds since its last selected frame; null before the first. */
  readonly idleMs: number | null;
  readonly addresses: readonly string[];
}

/** One line of `flows`. */
export interface ModuleFlow {
  readonly family: 4 | 6;
  /** IP protocol number. */
  readonly protocol: number;
  readonly source: string;
  readonly destination: string;
  /** Null for a protocol without ports. */
  readonly sourcePort: number | null;
  readonly destinationPort: number | null;
  /** Gateway ids, 0 for none. */
  readonly sourceGateway: number;
  readonly destinationGateway: number;
}

/**
 * Whether the module is loaded, after one attempt to load it. The files are there in every namespace, also where a container
 * cannot load anything itself.
 */
export async function loadModule(): Promise<boolean> {
  if (await isLoaded()) return true;
  await exec('modprobe', ['gwmark']).catch(() => undefined);
  return isLoaded();
}

async function isLoaded(): Promise<boolean> {
  return readFile(`${DIRECTORY}/config`, 'utf8').then(
    () => true,
    () => false,
  );
}

/** Detaches the module from this namespace. False when it is not loaded or was not enabled. */
export async function disableModule(): Promise<boolean> {
  if (!(await isLoaded()) || !(await readRecords('config')).includes('enabled 1')) return false;
  await writeControl('disable');
  return true;
}

/**
 * Writes one command.
 *
 * @throws GwmarkError DATAPATH_FAILED with the command and the system's reason
 */
export async function writeControl(command: string): Promise<void> {
  try {
    await using file = await open(`${DIRECTORY}/control`, 'w');
    // One write a command: a partial one would be another command.
    await file.write(command);
  } catch (error) {
    throw new GwmarkError('DATAPATH_FAILED', `write "${command}" to ${DIRECTORY}/control: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Reads the records of a file, one a line, without the first line.
 *
 * @throws GwmarkError DATAPATH_FAILED when the file cannot be read, DATAPATH_ABI when the module speaks another ABI
 */
export async function readRecords(file: ModuleFile): Promise<readonly string[]> {
  const path = `${DIRECTORY}/${file}`;
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    // EIO: it is being unloaded at this moment.
    const isGone = error.code === 'ENOENT' || error.code === 'EIO';
    throw new GwmarkError('DATAPATH_FAILED', `read ${path}: ${isGone ? 'the kernel module gwmark is not loaded' : error.message}`, { cause: error });
  });
  const [first = '', ...records] = text.split('\n');
  if (first !== `gwmark ${MODULE_ABI}`) {
    throw new GwmarkError('DATAPATH_ABI', `${path} begins with "${first}", expected "gwmark ${MODULE_ABI}": the module and the sidecar are of different versions`);
  }
  return records.filter((record) => record !== '');
}

/** Parses a line of `gateways`; null for one that lacks what every version has. */
export function parseModuleGateway(record: string): ModuleGateway | null {
  const fields = parseFields(record);
  const [id, device, mac, send] = ['id', 'dev', 'mac', 'send'].map((name) => fields.get(name));
  if (id === undefined || device === undefined || mac === undefined || send === undefined) return null;
  const idleMs = Number(fields.get('idle_ms') ?? -1);
  return {
    id: Number(id),
    device,
    mac,
    send,
    isUplink: fields.get('uplink') === '1',
    learned: BigInt(fields.get('learned') ?? 0),
    sentPackets: BigInt(fields.get('sent_packets') ?? 0),
    sentBytes: BigInt(fields.get('sent_bytes') ?? 0),
    moves: BigInt(fields.get('moves') ?? 0),
    idleMs: idleMs < 0 ? null : idleMs,
    addresses: (fields.get('addresses') ?? '').split(',').filter((address) => address !== ''),
  };
}

/** Parses a line of `flows`; null for one that lacks what every version has. */
export function parseModuleFlow(record: string): ModuleFlow | null {
  const fields = parseFields(record);
  const [source, destination] = ['src', 'dst'].map((name) => fields.get(name));
  if (source === undefined || destination === undefined) return null;
  const port = (name: string): number | null => (fields.has(name) ? Number(fields.get(name)) : null);
  return {
    family: fields.get('family') === '6' ? 6 : 4,
    protocol: Number(fields.get('proto')),
    source,
    destination,
    sourcePort: port('sport'),
    destinationPort: port('dport'),
    sourceGateway: Number(fields.get('source') ?? 0),
    destinationGateway: Number(fields.get('destination') ?? 0),
  };
}

/** Parses the lines of `stats`: name -> count. */
export function parseModuleStats(records: readonly string[]): ReadonlyMap<string, bigint> {
  return new Map(records.map((record) => record.split(' ')).flatMap(([name, count]) => (name === undefined || count === undefined ? [] : [[name, BigInt(count)] as const])));
}

function parseFields(record: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const field of record.split(' ')) {
    const equals = field.indexOf('=');
    if (equals > 0) fields.set(field.slice(0, equals), field.slice(equals + 1));
  }
  return fields;
}
