import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';

/** No line of the kernel or of conntrack(8) is nearly as long. */
const MAX_LINE_CHARACTERS = 64 * 1024;
/** Enough for a program's error message. */
const MAX_STDERR_CHARACTERS = 4096;

/** How a program ended whose output was read to its end. */
export interface ProgramEnd {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  /** Its beginning. */
  readonly stderr: string;
}

/**
 * The lines of a file, as they are asked for. Breaking off closes it.
 *
 * Rejects with the system's error when it cannot be read.
 */
export async function* fileLines(path: string): AsyncGenerator<string, void> {
  yield* linesOf(createReadStream(path, 'utf8'));
}

/**
 * The lines that a program prints, as they are asked for; then how it ended. In the C locale. Breaking off kills it.
 *
 * Rejects when it cannot be started (`ENOENT` and the like).
 */
export async function* programLines(command: string, args: readonly string[]): AsyncGenerator<string, ProgramEnd> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(0, MAX_STDERR_CHARACTERS);
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  // Awaited below; a reader that stops early never awaits it.
  closed.catch(() => undefined);
  try {
    yield* linesOf(child.stdout.setEncoding('utf8'));
    const [exitCode] = await closed;
    return { exitCode, stderr };
  } finally {
    child.kill('SIGKILL');
  }
}

/** Splits a stream of text at line feeds, holding one chunk and one line at most. */
async function* linesOf(stream: Readable): AsyncGenerator<string, void> {
  let rest = '';
  for await (const chunk of stream as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE_CHARACTERS) throw new Error(`a line of more than ${MAX_LINE_CHARACTERS} characters`);
    yield* lines;
  }
  if (rest !== '') yield rest;
}
