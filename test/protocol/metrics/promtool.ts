import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/**
 * Where `scripts/prepare.sh` puts it, unpacked from Debian's package prometheus, so that no service of that package is
 * installed.
 */
const UNPACKED = fileURLToPath(new URL('../../../../.cache/prometheus/usr/bin/promtool', import.meta.url));

/** The program promtool. */
export const PROMTOOL = existsSync(UNPACKED) ? UNPACKED : 'promtool';

/**
 * Runs promtool to its end and resolves with all that it printed. Rejects where it is missing: Debian's package
 * prometheus has it.
 */
export async function runPromtool(
  args: readonly string[],
  input = '',
): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(PROMTOOL, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const closed = once(child, 'close') as Promise<[number | null]>;
  child.stdin.on('error', () => undefined).end(input);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { code, output: stdout + stderr };
}
