import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const FAKE = fileURLToPath(new URL('fixtures/fake-daemon.js', import.meta.url));

/** A `gwmark` process on the fake daemon. */
export type Child = ChildProcessByStdio<null, Readable, Readable>;

/** How it ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How it is started. */
export interface Start {
  /** What the fake daemon does. */
  readonly daemon?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Set before the interpreter, to start without a capability. */
  readonly prefix?: readonly string[];
}

/** Starts `gwmark` on the fake daemon; the caller waits for its end. */
export function start(args: readonly string[], { daemon = '', env = {}, prefix = [] }: Start = {}): Child {
  const [program = '', ...rest] = [...prefix, process.execPath, FAKE, ...args];
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GWMARK_')));
  return spawn(program, rest, {
    // GWMARK_CONFIG keeps a configuration of the machine out of the test.
    env: { ...inherited, GWMARK_CONFIG: '/dev/null', FAKE_DAEMON: daemon, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Resolves with everything that it printed. */
export async function ended(child: Child): Promise<Ended> {
  const exited = once(child, 'close') as Promise<[number | null]>;
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  return { code, stdout, stderr };
}

/** Runs it to its end. */
export function run(args: readonly string[], options?: Start): Promise<Ended> {
  return ended(start(args, options));
}
