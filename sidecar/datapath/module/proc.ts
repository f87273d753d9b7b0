import { open, readFile } from 'node:fs/promises';
import { GwmarkError } from '../../errors.js';
import { exec } from '../../system/exec.js';

/**
 * The ABI that this sidecar speaks: GWMARK_ABI of module/include/uapi/gwmark.h, which is the manual of all that
 * follows.
 */
export const MODULE_ABI = 1;

/** Where the module's files are, in every network namespace. */
export const MODULE_DIRECTORY = '/proc/net/gwmark';

/** Files that the module shows in every network namespace. */
export type ModuleFile = 'config' | 'control' | 'flows' | 'gateways' | 'stats';

/** One line of `gateways`. */
export interface ModuleGateway {
  /** Slot and generation: a number up to 2^32 - 1. */
  readonly id: number;
  readonly device: string;
  /** What its frames have. */
  readonly mac: string;
  /** Where packets go; differs from `mac` after a move. */
  readonly send: string;
  readonly isUplink: boolean;
  /** Flows that were learnt as it. */
  readonly learned: number;
  readonly sentPackets: number;
  /** Exact up to 2^53. */
  readonly sentBytes: number;
  readonly moves: number;
  /** A command has set where packets go; false in older versions. */
  readonly isOrdered: boolean;
  /** Milliseconds since its last selected frame; null before the first. */
  readonly idleMs: number | null;
  readonly addresses: readonly string[];
}

/**
 * Whether the module is loaded, after one attempt to load it. The files are there in every namespace, also where a
 * container cannot load anything itself.
 */
export async function loadModule(): Promise<boolean> {
  if (await isLoaded()) return true;
  await exec('modprobe', ['gwmark']).catch(() => undefined);
  return isLoaded();
}

async function isLoaded(): Promise<boolean> {
  return readFile(`${MODULE_DIRECTORY}/config`, 'utf8').then(
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
    await using file = await open(`${MODULE_DIRECTORY}/control`, 'w');
    // One write per command: a partial write would be another command.
    await file.write(command);
  } catch (error) {
    throw new GwmarkError(
      'DATAPATH_FAILED',
      `write "${command}" to ${MODULE_DIRECTORY}/control: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/**
 * Reads the records of a file, one per line, without the first line.
 *
 * @throws GwmarkError DATAPATH_FAILED when the file cannot be read, DATAPATH_ABI when the module speaks another ABI
 */
export async function readRecords(file: ModuleFile): Promise<readonly string[]> {
  const path = `${MODULE_DIRECTORY}/${file}`;
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    // EIO: it is being unloaded.
    const isGone = error.code === 'ENOENT' || error.code === 'EIO';
    throw new GwmarkError(
      'DATAPATH_FAILED',
      `read ${path}: ${isGone ? 'the kernel module gwmark is not loaded' : error.message}`,
      { cause: error },
    );
  });
  const [first = '', ...records] = text.split('\n');
  checkAbi(path, first);
  return records.filter((record) => record !== '');
}

/** @throws GwmarkError DATAPATH_ABI when the first line of a file is that of another ABI */
export function checkAbi(path: string, first: string): void {
  if (first === `gwmark ${MODULE_ABI}`) return;
  throw new GwmarkError(
    'DATAPATH_ABI',
    `${path} begins with "${first}", expected "gwmark ${MODULE_ABI}": the module and the sidecar have different versions`,
  );
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
    learned: Number(fields.get('learned') ?? 0),
    sentPackets: Number(fields.get('sent_packets') ?? 0),
    sentBytes: Number(fields.get('sent_bytes') ?? 0),
    moves: Number(fields.get('moves') ?? 0),
    isOrdered: fields.get('ordered') === '1',
    idleMs: idleMs < 0 ? null : idleMs,
    addresses: (fields.get('addresses') ?? '').split(',').filter((address) => address !== ''),
  };
}

/** Parses the lines of `stats`: name -> count, exact up to 2^53. */
export function parseModuleStats(records: readonly string[]): ReadonlyMap<string, number> {
  return new Map(
    records
      .map((record) => record.split(' '))
      .flatMap(([name, count]) => (name === undefined || count === undefined ? [] : [[name, Number(count)] as const])),
  );
}

/** The `name=value` fields of a record. */
export function parseFields(record: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const field of record.split(' ')) {
    const equals = field.indexOf('=');
    if (equals > 0) fields.set(field.slice(0, equals), field.slice(equals + 1));
  }
  return fields;
}
