import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promises as fs } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionMode, ExecutionResult, Executor, ExecutorLimits } from './executor.js';
import { NftError } from './nft-error.js';

/** Messages are a few lines of text; longer output is cut off. */
const MAX_ERROR_BYTES = 64 * 1024;

/**
 * One spawned `nft -j` per exchange.
 *
 * The commands reach it through a file: nft reopens its standard input, and what Node gives a child as a pipe is a
 * socket, which cannot be reopened (ENXIO). The file is opened 0600, passed as an open descriptor, and has no name while
 * nft runs. nft opens it by /proc: /dev/stdin, nft's `-`, is missing in a /dev that no program has filled.
 */
export class ProcessExecutor implements Executor {
  readonly kind = 'process';
  readonly #program: string;
  readonly #limits: ExecutorLimits;

  constructor(program: string, limits: ExecutorLimits) {
    this.#program = program;
    this.#limits = limits;
  }

  async execute(input: string, mode: ExecutionMode): Promise<ExecutionResult> {
    const file = await openUnlinked(input);
    try {
      return await this.#spawn(file.fd, [
        '--json',
        ...(mode.check ? ['--check'] : []),
        ...(mode.terse ? ['--terse'] : []),
        '--file',
        '/proc/self/fd/0',
      ]);
    } finally {
      await file.close();
    }
  }

  applyElements(): boolean {
    return false;
  }

  hasElements(): undefined {
    return undefined;
  }

  generation(): undefined {
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // No state outlives an exchange.
  }

  #spawn(stdin: number, args: readonly string[]): Promise<ExecutionResult> {
    return new Promise((resolve, reject) => {
      const child = spawn(this.#program, args, {
        stdio: [stdin, 'pipe', 'pipe'],
        env: { ...process.env, LC_ALL: 'C' },
      });
      const output: Buffer[] = [];
      const errors: Buffer[] = [];
      let outputBytes = 0;
      let errorBytes = 0;
      let failure: NftError | undefined;

      const stop = (error: NftError): void => {
        failure ??= error;
        child.kill('SIGKILL');
      };
      const timer = setTimeout(() => {
        stop(
          new NftError('TIMEOUT', `${this.#program}: no answer within ${this.#limits.timeoutMs} ms, outcome unknown`),
        );
      }, this.#limits.timeoutMs);

      child.stdout?.on('data', (chunk: Buffer) => {
        outputBytes += chunk.length;
        if (outputBytes > this.#limits.maxOutputBytes) {
          stop(new NftError('OVERFLOW', `listing is larger than ${this.#limits.maxOutputBytes} bytes`));
        } else {
          output.push(chunk);
        }
      });
      child.stderr?.on('data', (chunk: Buffer) => {
        errorBytes += chunk.length;
        if (errorBytes <= MAX_ERROR_BYTES) {
          errors.push(chunk);
        }
      });
      child.once('error', (cause) => {
        clearTimeout(timer);
        reject(new NftError('UNAVAILABLE', `${this.#program} cannot be started: ${cause.message}`, { cause }));
      });
      child.once('close', (exitCode, signal) => {
        clearTimeout(timer);
        if (failure) {
          reject(failure);
        } else if (signal !== null) {
          reject(new NftError('UNAVAILABLE', `${this.#program} was ended by ${signal}, outcome unknown`));
        } else {
          resolve({
            ok: exitCode === 0,
            output: Buffer.concat(output).toString('utf8'),
            errors: Buffer.concat(errors).toString('utf8'),
          });
        }
      });
    });
  }
}

async function openUnlinked(content: string): Promise<fs.FileHandle> {
  const path = join(tmpdir(), `nftables-json-${randomUUID()}`);
  const file = await fs.open(path, 'wx+', 0o600);
  try {
    await fs.unlink(path);
    // Written at positions, so that the offset stays at the start for a program that reads the descriptor itself.
    const bytes = Buffer.from(content, 'utf8');
    for (let position = 0; position < bytes.length;) {
      const { bytesWritten } = await file.write(bytes, position, bytes.length - position, position);
      position += bytesWritten;
    }
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
