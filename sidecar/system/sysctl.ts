import { readFile, writeFile } from 'node:fs/promises';

/** A kernel parameter as a path below /proc/sys, with slashes: device names may hold dots. */
export type SysctlName = string;

/** The value without its newline; null when this kernel or namespace does not have the parameter. */
export async function readSysctl(name: SysctlName): Promise<string | null> {
  try {
    return (await readFile(`/proc/sys/${name}`, 'utf8')).trim();
  } catch {
    return null;
  }
}

/** Rejects with the system's error, EROFS in most containers. */
export async function writeSysctl(name: SysctlName, value: string): Promise<void> {
  await writeFile(`/proc/sys/${name}`, value);
}
