import { promises as fs } from 'node:fs';
import {
  chooseFlavour,
  FLAVOURS,
  inspectFlavour,
  type Flavour,
  type FlavourReport,
  type ProcReader,
} from './flavour.js';
import { IptablesError } from './iptables-error.js';
import type { Iptables } from './iptables.js';
import { ProgramIptables } from './program-iptables.js';
import { spawnRunner, type ProgramRunner } from './program-runner.js';
import type { Family, TableName } from './table.js';
import { faultOfPrefix } from './validation.js';

export interface IptablesOptions {
  /**
   * What the names of our chains start with: 1 to 20 letters, digits, `_`, `.`, `-`. Everything of this name is ours,
   * nothing else is.
   */
  readonly prefix: string;
  /**
   * `auto` (default): the flavour that our chains are in, else the one that holds rules, else what the name `iptables`
   * runs, else the one that works; EMIXED where both hold rules. A flavour that is named is taken, whatever the other
   * holds.
   */
  readonly flavour?: 'auto' | Flavour;
  /** Default both. */
  readonly families?: readonly Family[];
  /** Tables that must be usable, tried at once; default `mangle`. iptables-legacy makes the ones that it tries. */
  readonly tables?: readonly TableName[];
  /** 1..600 s that iptables-legacy waits for the lock, default 5. */
  readonly lockWaitSeconds?: number;
  /**
   * File that iptables-legacy locks, default /run/xtables.lock. For a read-only root; another file does not keep off
   * programs that lock the usual one.
   */
  readonly lockFile?: string;
  /** 1.. ms for one program, default 30000. More than `lockWaitSeconds`. */
  readonly timeoutMs?: number;
  /** Most bytes of one listing, default 64 MiB. */
  readonly maxOutputBytes?: number;
  /** Called once with the selected flavour, the reason, and what the other one has. */
  readonly onChoice?: (reason: string) => void;
}

/**
 * Opens the iptables of the present network namespace, and tries it, so that a missing program, kernel part or right
 * is known at once.
 *
 * The caller owns the result and disposes it.
 *
 * @throws IptablesError UNAVAILABLE with the reason; EPERM without CAP_NET_ADMIN; EMIXED if both flavours are in
 * use; EINVAL for an option
 */
export async function openIptables(options: IptablesOptions): Promise<Iptables> {
  const timeoutMs = within('timeoutMs', options.timeoutMs ?? 30_000, Number.MAX_SAFE_INTEGER);
  const maxOutputBytes = within('maxOutputBytes', options.maxOutputBytes ?? 64 * 1024 * 1024, Number.MAX_SAFE_INTEGER);
  const run = spawnRunner({ timeoutMs, maxOutputBytes, lockFile: options.lockFile });
  return openWith(options, run, (path) => fs.readFile(path, 'utf8'));
}

/** What each flavour is, and holds, here; for diagnosis. Changes nothing. Options as for `openIptables`. */
export async function inspectIptables(
  options: Pick<IptablesOptions, 'families' | 'prefix'>,
): Promise<readonly FlavourReport[]> {
  const run = spawnRunner({ timeoutMs: 30_000, maxOutputBytes: 64 * 1024 * 1024 });
  return inspectAll(options, run, (path) => fs.readFile(path, 'utf8'));
}

/** As `openIptables`, with any runner instead of processes. */
export async function openWith(options: IptablesOptions, run: ProgramRunner, readProc: ProcReader): Promise<Iptables> {
  const { prefix, flavour: wanted = 'auto', families = [4, 6], tables = ['mangle'] } = options;
  const lockWaitSeconds = within('lockWaitSeconds', options.lockWaitSeconds ?? 5, 600);
  const fault = faultOfPrefix(prefix) ?? (families.length === 0 ? 'families: none is given' : undefined);
  if (fault !== undefined) throw new IptablesError('EINVAL', fault);

  // If the caller names a flavour and wants no reason, the other one is not inspected.
  const looked =
    wanted === 'auto' || options.onChoice !== undefined ? FLAVOURS : FLAVOURS.filter((flavour) => flavour === wanted);
  const reports = await inspectAll(options, run, readProc, looked);
  const choice =
    wanted === 'auto' ? chooseFlavour(reports) : ({ ok: true, flavour: wanted, reason: 'it was asked for' } as const);
  if (!choice.ok) throw choice.error;
  const report = reports.find(({ flavour }) => flavour === choice.flavour);
  if (!report?.isUsable)
    throw (
      report?.error ??
      new IptablesError('EINVAL', `flavour ${JSON.stringify(choice.flavour)} is none of auto, nft, legacy`)
    );
  const { flavour, version, programs } = report;
  const iptables = new ProgramIptables({
    flavour,
    version,
    programs,
    families,
    prefix,
    lockWaitSeconds,
    lockFile: options.lockFile,
    run,
  });
  for (const family of families) for (const table of tables) await iptables.list({ family, table });
  options.onChoice?.(describeChoice(report, choice.reason, reports));
  return iptables;
}

function inspectAll(
  options: Pick<IptablesOptions, 'families' | 'prefix'>,
  run: ProgramRunner,
  readProc: ProcReader,
  flavours = FLAVOURS,
): Promise<FlavourReport[]> {
  return Promise.all(
    flavours.map((flavour) => inspectFlavour(flavour, options.families ?? [4, 6], options.prefix, run, readProc)),
  );
}

function describeChoice(
  { flavour, version }: { flavour: Flavour; version: string },
  reason: string,
  reports: readonly FlavourReport[],
): string {
  const others = reports.filter((report) => report.isUsable && report.flavour !== flavour);
  const held = others.flatMap((report) => (report.isUsable ? [...report.ownChains, ...report.foreignTables] : []));
  const beside = held.length === 0 ? '' : `; the other flavour holds ${held.join(', ')}, and packets pass both`;
  return `iptables ${version}, flavour ${flavour}: ${reason}${beside}`;
}

function within(name: string, value: number, highest: number): number {
  if (Number.isSafeInteger(value) && value >= 1 && value <= highest) return value;
  throw new IptablesError('EINVAL', `${name}: ${value} is not a whole number in 1..${highest}`);
}
