import { execFile } from 'node:child_process';
import { release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Where and of what a report was made. */
export interface Facts {
  /** Of the checkout, `unknown` outside of one; with `+` when files differ from it. */
  readonly commit: string;
  readonly node: string;
  readonly nft: string;
  readonly kernel: string;
}

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Reads commit and versions. What cannot be found out is `unknown`. */
export async function readFacts(): Promise<Facts> {
  const commit = await firstLine('git', ['-C', ROOT, 'rev-parse', '--short=12', 'HEAD']);
  const changes = await firstLine('git', ['-C', ROOT, 'status', '--porcelain', '--untracked-files=no']);
  const nft = await firstLine('nft', ['--version']);
  return {
    commit: commit === '' ? 'unknown' : `${commit}${changes === '' ? '' : '+'}`,
    node: process.versions.node,
    nft: /v(\d[^ ]*)/.exec(nft)?.[1] ?? 'unknown',
    kernel: release(),
  };
}

async function firstLine(program: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run(program, args);
    return stdout.split('\n')[0] ?? '';
  } catch {
    return '';
  }
}
