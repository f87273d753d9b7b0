import { appendFileSync } from 'node:fs';

import { tryExec } from '../lab/process.js';
import type { Scene } from './scene.js';

/** What one row showed over one transport. */
export interface Result {
  readonly name: string;
  readonly transport: string;
  readonly outcome: 'passes' | 'limit';
  /** Program -> version. */
  readonly versions: Readonly<Record<string, string>>;
}

/**
 * Where results go, one JSON object a line: a file named by BESIDE_RESULTS, or, in a guest whose files nobody sees,
 * standard output with the word `beside-result` before it.
 */
export function record(result: Result): void {
  const target = process.env['BESIDE_RESULTS'];
  if (target === 'stdout') console.log(`beside-result ${JSON.stringify(result)}`);
  else if (target !== undefined) appendFileSync(target, `${JSON.stringify(result)}\n`);
}

/**
 * The first number with a dot that a command prints, run in the neighbours' Debian, or on this machine where its name
 * begins with `host:`.
 */
export async function versionOf(scene: Scene, argv: readonly string[]): Promise<string> {
  const [program = '', ...args] = argv;
  const { stdout, stderr } = await tryExec(
    program.startsWith('host:') ? [program.slice(5), ...args] : (await scene.root()).argv(argv),
  );
  return /\d+\.[\w.+~-]*\d/.exec(stdout + stderr)?.[0] ?? 'unknown';
}
