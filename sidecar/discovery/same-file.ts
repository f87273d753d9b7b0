import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';

/** A mount as `/proc/PID/mountinfo` lists it (proc_pid_mountinfo(5)). */
interface Mount {
  /** `major:minor` of the file system. */
  readonly device: string;
  /** The directory of that file system that is seen here. */
  readonly root: string;
  /** Where it is visible, from the process's own root. */
  readonly point: string;
}

/**
 * True when a path leads another process to the same file as us, as far as the tables of mounts prove it: the same
 * directory of the same file system is mounted there for both. They may be read without the right to trace the
 * process, which its root may not.
 */
export async function isSameFile(pid: number, file: string): Promise<boolean> {
  const [theirs, ours, resolved] = await Promise.all([
    readMounts(String(pid)),
    readMounts('self'),
    realpath(file).catch(() => null),
  ]);
  if (resolved === null) return false;
  // A link is a file like any other: the same for both if its path is.
  return [file, resolved].every((name) => {
    const [there, here] = [placeOf(theirs, name), placeOf(ours, name)];
    return there !== null && there === here;
  });
}

/** The file system and the path in it; null if no mount is seen. Pure. */
export function placeOf(mounts: readonly Mount[], file: string): string | null {
  const isAbove = ({ point }: Mount): boolean => point === '/' || file === point || file.startsWith(`${point}/`);
  // Of mounts on one point the last one is seen.
  const mount = mounts
    .filter(isAbove)
    .reduce<Mount | null>(
      (best, next) => (best === null || next.point.length >= best.point.length ? next : best),
      null,
    );
  return mount === null
    ? null
    : `${mount.device} ${path.posix.join(mount.root, path.posix.relative(mount.point, file))}`;
}

/** Parses `ID PARENT MAJOR:MINOR ROOT POINT ...`; blanks in paths are written in octal. Pure. */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [, , device, root, point] = line.split(' ');
    return device === undefined || root === undefined || point === undefined
      ? []
      : [{ device, root: unescape(root), point: unescape(point) }];
  });
}

function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCodePoint(Number.parseInt(digits, 8)));
}

async function readMounts(who: string): Promise<Mount[]> {
  return parseMounts(await readFile(`/proc/${who}/mountinfo`, 'utf8').catch(() => ''));
}
