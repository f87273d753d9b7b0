import { IptablesError } from './iptables-error.js';
import { explainIptables } from './failure.js';
import type { ProgramRunner } from './program-runner.js';
import { readTables, type Family, type ListedTable } from './table.js';

/**
 * The two implementations of iptables: on nf_tables, or on the older ip_tables. A packet passes
 * the rules of both.
 */
export type Flavour = 'legacy' | 'nft';

export const FLAVOURS: readonly Flavour[] = ['nft', 'legacy'];

export interface FlavourPrograms {
  readonly save: string;
  readonly restore: string;
}

/** What one flavour is, and holds, here. */
export type FlavourReport =
  | { readonly flavour: Flavour; readonly isUsable: false; readonly reason: string; readonly error: IptablesError }
  | {
      readonly flavour: Flavour;
      readonly isUsable: true;
      /** As the program prints it, for example `1.8.9`. */
      readonly version: string;
      /** It is what the plain name `iptables` runs. */
      readonly isDefault: boolean;
      readonly programs: Readonly<Record<Family, FlavourPrograms>>;
      /** Chains of ours: `IPv4 mangle VPN-in`. */
      readonly ownChains: readonly string[];
      /** Tables that have more than empty chains, without ours: `IPv4 nat`. */
      readonly foreignTables: readonly string[];
    };

/** Reads a file of /proc; rejects as node:fs does. */
export type ProcReader = (path: string) => Promise<string>;

/** Looks at one flavour. Makes no table: of iptables-legacy it lists only what is already there. */
export async function inspectFlavour(
  flavour: Flavour,
  families: readonly Family[],
  prefix: string,
  run: ProgramRunner,
  readProc: ProcReader,
): Promise<FlavourReport> {
  try {
    const found = await findPrograms(flavour, run);
    const ownChains: string[] = [];
    const foreignTables: string[] = [];
    for (const family of families) {
      for (const table of await existingTables(flavour, family, found.programs[family].save, run, readProc)) {
        const own = table.chains.filter(({ name }) => name.startsWith(prefix)).map(({ name }) => name);
        ownChains.push(...own.map((name) => `IPv${family} ${table.name} ${name}`));
        if (isForeign(table, own)) foreignTables.push(`IPv${family} ${table.name}`);
      }
    }
    return { flavour, isUsable: true, ...found, ownChains, foreignTables };
  } catch (error) {
    if (!(error instanceof IptablesError)) throw error;
    return { flavour, isUsable: false, reason: error.message, error };
  }
}

/** Why `auto` selects this flavour, or the error if it selects none. */
export type FlavourChoice =
  | { readonly ok: true; readonly flavour: Flavour; readonly reason: string }
  | { readonly ok: false; readonly error: IptablesError };

/**
 * The flavour for `auto`: where our own chains are; else the one that holds rules; else what the name `iptables` runs;
 * else the one that works.
 *
 * Rules in both flavours are never added to: packets would pass both, in an order that nobody wrote down, and a tool
 * of one flavour does not see the other. Such a machine needs a decision by whoever runs it.
 */
export function chooseFlavour(reports: readonly FlavourReport[]): FlavourChoice {
  const usable = reports.filter((report) => report.isUsable);
  const [first] = usable;
  if (!first) {
    const refused = reports.find((report) => !report.isUsable && report.error.code === 'EPERM') ?? reports[0];
    const code = refused?.isUsable === false && refused.error.code === 'EPERM' ? 'EPERM' : 'UNAVAILABLE';
    const reasons = reports.map((report) => (report.isUsable ? '' : `${report.flavour}: ${report.reason}`));
    return { ok: false, error: new IptablesError(code, `no iptables can be used (${reasons.join('; ')})`) };
  }
  for (const [holds, what] of [
    ['ownChains', 'our chains'],
    ['foreignTables', 'rules'],
  ] as const) {
    const holders = usable.filter((report) => report[holds].length > 0);
    const [holder, other] = holders;
    if (holder && other) {
      const where = holders.map((report) => `${report.flavour} (${report[holds].join(', ')})`).join(' and ');
      return {
        ok: false,
        error: new IptablesError(
          'EMIXED',
          `both flavours of iptables hold ${what}: ${where}; name the flavour to use, or clear one`,
        ),
      };
    }
    if (holder) return { ok: true, flavour: holder.flavour, reason: `it holds ${what} (${holder[holds].join(', ')})` };
  }
  const standard = usable.find((report) => report.isDefault);
  return standard
    ? { ok: true, flavour: standard.flavour, reason: 'it is what the name iptables runs' }
    : { ok: true, flavour: first.flavour, reason: 'it is the only one that works' };
}

async function findPrograms(
  flavour: Flavour,
  run: ProgramRunner,
): Promise<{ version: string; isDefault: boolean; programs: Record<Family, FlavourPrograms> }> {
  const standard = await readVersion('iptables', run);
  const isDefault = standard?.flavour === flavour;
  const named = await readVersion(`iptables-${flavour}`, run);
  const version = named?.flavour === flavour ? named.version : isDefault ? standard.version : undefined;
  if (version === undefined) {
    const instead = standard ? `, and iptables is of the flavour ${standard.flavour}` : '';
    throw new IptablesError('UNAVAILABLE', `there is no program iptables-${flavour}${instead}`);
  }
  const infix = named?.flavour === flavour ? `-${flavour}` : '';
  const programs = (base: string): FlavourPrograms => ({
    save: `${base}${infix}-save`,
    restore: `${base}${infix}-restore`,
  });
  return { version, isDefault, programs: { 4: programs('iptables'), 6: programs('ip6tables') } };
}

/** `iptables v1.8.9 (nf_tables)`; before 1.8 there was only one flavour, without this word. */
async function readVersion(
  program: string,
  run: ProgramRunner,
): Promise<{ flavour: Flavour; version: string } | undefined> {
  try {
    const { stdout } = await run(program, ['-V']);
    const printed = /^ip6?tables v([\d.]+)(?: \((nf_tables|legacy)\))?/u.exec(stdout);
    return printed ? { version: printed[1] ?? '', flavour: printed[2] === 'nf_tables' ? 'nft' : 'legacy' } : undefined;
  } catch (error) {
    if (error instanceof IptablesError && error.code === 'UNAVAILABLE') return undefined;
    throw error;
  }
}

async function existingTables(
  flavour: Flavour,
  family: Family,
  save: string,
  run: ProgramRunner,
  readProc: ProcReader,
): Promise<ListedTable[]> {
  // iptables-legacy creates a table that is requested by name; without a name it shows the tables of this file.
  const names = `/proc/net/${family === 4 ? 'ip' : 'ip6'}_tables_names`;
  if (flavour === 'legacy' && (await readProc(names).catch(() => '')) === '') return [];
  const { exitCode, stdout, stderr } = await run(save, []);
  if (exitCode !== 0) {
    const { code, reason } = explainIptables(exitCode, stderr);
    throw new IptablesError(code === 'UNKNOWN' ? 'UNAVAILABLE' : code, `${save}: ${reason}`, { detail: stderr });
  }
  return readTables(stdout.replaceAll(INCOMPATIBLE, ''));
}

/** A table of nft's own has no iptables rules. Its use is rejected later, where it matters. */
const INCOMPATIBLE = /^# Table [`'][^']+' is incompatible, use 'nft' tool\.\n/gmu;

function isForeign(table: ListedTable, own: readonly string[]): boolean {
  return table.chains.some(
    ({ name, policy, rules }) => !own.includes(name) && (policy === null || policy !== 'ACCEPT' || rules.length > 0),
  );
}
