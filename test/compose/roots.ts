import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { exec } from '../lab/process.js';

/** The top of the checkout; compiled files lie in dist/test/compose. */
export const CHECKOUT = fileURLToPath(new URL('../../../', import.meta.url));
const CACHE = path.join(process.env['GWMARK_CACHE'] ?? path.join(CHECKOUT, '.cache'), 'roots');

/** Debian releases that the tests install. */
export type Suite = 'bookworm' | 'trixie';

/**
 * A minimal Debian as a tar file, made by debootstrap at the first call on this machine and kept in the cache.
 * Two processes may make the same at once; the last one is kept.
 */
export async function debianRoot(suite: Suite): Promise<string> {
  const file = path.join(CACHE, `${suite}.tar`);
  if (existsSync(file)) return file;
  await mkdir(CACHE, { recursive: true });
  const directory = await mkdtemp(path.join(tmpdir(), `gwmark-root-${process.pid}-`));
  try {
    await exec(['debootstrap', '--variant=minbase', suite, path.join(directory, 'root')], { timeoutMs: 3_600_000 });
    const unfinished = path.join(directory, 'root.tar');
    await exec(
      ['tar', '-C', path.join(directory, 'root'), '--exclude=./var/cache/apt/archives/*.deb', '-cf', unfinished, '.'],
      { timeoutMs: 600_000 },
    );
    await exec(['cp', unfinished, `${file}.${process.pid}`], { timeoutMs: 600_000 });
    await rename(`${file}.${process.pid}`, file);
    return file;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
