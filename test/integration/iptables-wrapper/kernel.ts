/**
 * The iptables that this machine has: which flavours can be tested, and how to touch them as another program would.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  inspectIptables,
  joinWords,
  openIpset,
  openIptables,
  readTables,
  type Command,
  type Family,
  type Flavour,
  type TableRef,
} from 'iptables-wrapper';
import { requireOwnNamespace } from '../nftables-json/namespace-guard.js';
import { PREFIX, type Harness } from './contract-fixture.js';

/** A lock of the tests' own: the usual one belongs to the whole machine, whatever the network namespace. */
export const LOCK_FILE = join(mkdtempSync(join(tmpdir(), 'iptables-wrapper-')), 'lock');
process.once('exit', () => {
  rmSync(dirname(LOCK_FILE), { recursive: true, force: true });
});

/**
 * The flavours that work here. The reason is printed of one that does not: its tests are then not declared at all.
 */
export async function testableFlavours(): Promise<readonly Flavour[]> {
  requireOwnNamespace();
  const testable: Flavour[] = [];
  for (const report of await inspectIptables({ prefix: PREFIX })) {
    const reason = report.isUsable ? whyUnusable(report.flavour) : report.reason;
    if (reason === undefined) testable.push(report.flavour);
    else console.log(`iptables, flavour ${report.flavour}, is not tested here: ${reason}`);
  }
  return testable;
}

/** Whether this kernel has a type of set; the reason why not is printed. */
export function hasSetType(type: string): boolean {
  requireOwnNamespace();
  const { status, stderr } = spawnSync('ipset', ['create', 'probe', type], { encoding: 'utf8' });
  if (status === 0) execFileSync('ipset', ['destroy', 'probe']);
  else console.log(`sets of type ${type} are not tested here: ${stderr.trim()}`);
  return status === 0;
}

/** Empties every table of a flavour that holds anything, and removes every set. */
export function clear(flavour: Flavour): void {
  for (const family of [4, 6] as const) {
    for (const { name, chains } of readTables(saved(flavour, family))) {
      if (chains.every(({ policy, rules }) => policy === 'ACCEPT' && rules.length === 0)) continue;
      const builtIn = chains.filter(({ policy }) => policy !== null);
      const input = `*${name}\n${builtIn.map((chain) => `:${chain.name} ACCEPT [0:0]\n`).join('')}COMMIT\n`;
      execFileSync(program(flavour, family, 'restore'), ['-w', '5'], { input, env: environment() });
    }
  }
  execFileSync('ipset', ['destroy']);
}

/** `iptables-nft`, `ip6tables-legacy-restore`. */
export function program(flavour: Flavour, family: Family, suffix?: 'restore' | 'save'): string {
  return `${family === 4 ? 'iptables' : 'ip6tables'}-${flavour}${suffix === undefined ? '' : `-${suffix}`}`;
}

export function environment(): NodeJS.ProcessEnv {
  return { ...process.env, XTABLES_LOCKFILE: LOCK_FILE };
}

/** Everything that one flavour holds, as it prints it. */
export function saved(flavour: Flavour, family: Family, args: readonly string[] = []): string {
  return execFileSync(program(flavour, family, 'save'), args, {
    encoding: 'utf8',
    env: environment(),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

/** Runs one command as a person at a shell would. */
export function shell(flavour: Flavour, { family, table }: TableRef, ...words: readonly string[]): void {
  execFileSync(program(flavour, family), ['-w', '5', '-t', table, ...words], {
    env: environment(),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

/** The harness of a flavour of this kernel. */
export function kernelHarness(flavour: Flavour): Harness {
  return {
    async open(families = [4, 6]) {
      clear(flavour);
      return {
        iptables: await openIptables({ prefix: PREFIX, flavour, families, lockFile: LOCK_FILE }),
        ipset: await openIpset(),
      };
    },
    foreign(_iptables, commands) {
      for (const command of commands) change(flavour, command);
    },
  };
}

function change(flavour: Flavour, command: Command): void {
  if ('create' in command) shell(flavour, command.create, '-N', command.create.chain);
  else if ('append' in command) shell(flavour, command.append, '-A', command.append.chain, ...command.append.rule);
  else throw new Error(`not a foreign change: ${joinWords(Object.keys(command))}`);
}

/** The kernel may lack what the program needs: only a transaction tells. */
function whyUnusable(flavour: Flavour): string | undefined {
  for (const family of [4, 6] as const) {
    const { status, stderr } = spawnSync(program(flavour, family, 'restore'), ['--test', '--noflush', '-w', '5'], {
      input: '*mangle\n:VPN-probe - [0:0]\n-A VPN-probe -j ACCEPT\nCOMMIT\n',
      encoding: 'utf8',
      env: environment(),
    });
    if (status !== 0) return stderr.trim();
  }
  return undefined;
}
