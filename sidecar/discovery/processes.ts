import { readFile, readdir, readlink } from 'node:fs/promises';
import path from 'node:path';

import type { OpenVpnOptions } from './openvpn-options.js';
import { readOptions } from './openvpn-options.js';
import { eachOf } from '../system/bounded.js';
import { isSameFile } from './same-file.js';

/** A process as /proc shows it (proc(5)). */
export interface ProcessInfo {
  readonly pid: number;
  /** The name of its program, at most 15 characters. */
  readonly name: string;
  /** Empty for a kernel thread, or where we may not look. */
  readonly argv: readonly string[];
}

/** Every process that is visible from here, except those that end meanwhile. */
export async function readProcesses(): Promise<readonly ProcessInfo[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const processes = await eachOf(pids, readProcess);
  return processes.filter((process) => process !== null);
}

/** One process; null when there is none of that number. */
export async function readProcess(pid: number): Promise<ProcessInfo | null> {
  try {
    const [name, command] = await Promise.all([
      readFile(`/proc/${pid}/comm`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
    ]);
    return { pid, name: name.trimEnd(), argv: command === '' ? [] : command.replace(/\0$/, '').split('\0') };
  } catch {
    return null;
  }
}

/** The process id of a process's parent; null if it is gone. */
export async function parentOf(pid: number): Promise<number | null> {
  // The name is in parentheses and may hold anything; behind it come the state and the parent (proc(5)).
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return stat === null ? null : Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

/** The processes that have a socket with one of these inodes, except those that we may not inspect. */
export async function holdersOf(inodes: ReadonlySet<number>): Promise<readonly ProcessInfo[]> {
  if (inodes.size === 0) return [];
  const wanted = new Set([...inodes].map((inode) => `socket:[${inode}]`));
  const processes = await readProcesses();
  const holds = await eachOf(processes, async ({ pid }) => {
    const names = await readdir(`/proc/${pid}/fd`).catch(() => []);
    const targets = await eachOf(names, (fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''));
    return targets.some((target) => wanted.has(target));
  });
  return processes.filter((_, index) => holds[index] === true);
}

/** True when the process is in the same network namespace as we; false also where that cannot be seen. */
export async function isInOurNamespace(pid: number): Promise<boolean> {
  const [ours, theirs] = await Promise.all(
    ['self', String(pid)].map((who) => readlink(`/proc/${who}/ns/net`).catch(() => null)),
  );
  return ours !== null && ours === theirs;
}

/**
 * The options that an OpenVPN process was started with, with its configuration files as they are now; null if its
 * command line cannot be seen. Files are read as the process sees them, in its own root and directory; without the
 * right to look there, in ours if the path provably leads to the same file.
 *
 * @param pid of a process that is known to be OpenVPN, whatever its program is called
 */
export async function openVpnOptionsOf(pid: number): Promise<OpenVpnOptions | null> {
  const found = await readProcess(pid);
  if (found === null || found.argv.length === 0) return null;
  const cwd = (await readlink(`/proc/${pid}/cwd`).catch(() => null)) ?? optionValue(found.argv, '--cd');
  return readOptions(found.argv, async (file) => {
    if (!path.isAbsolute(file) && cwd === null) return null;
    const inside = path.isAbsolute(file) ? file : path.join(cwd ?? '/', file);
    const text = await readFile(path.join(`/proc/${pid}/root`, inside), 'utf8').catch(() => null);
    return text ?? ((await isSameFile(pid, inside)) ? readFile(inside, 'utf8').catch(() => null) : null);
  });
}

/** An absolute value of an option on the command line. */
function optionValue(argv: readonly string[], name: string): string | null {
  const value = argv[argv.indexOf(name) + 1];
  return argv.includes(name) && value !== undefined && path.isAbsolute(value) ? value : null;
}
