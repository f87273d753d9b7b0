import { spawn } from 'node:child_process';
import { IptablesError } from './iptables-error.js';

/** Messages are a few lines of text; longer output is cut off. */
const MAX_ERROR_BYTES = 64 * 1024;

export interface ProgramResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs one program to its end, with text on its standard input.
 *
 * Rejects only if there was no answer at all: IptablesError UNAVAILABLE (no such program, ended by a signal), TIMEOUT,
 * OVERFLOW.
 */
export type ProgramRunner = (program: string, args: readonly string[], input?: string) => Promise<ProgramResult>;

export interface RunnerLimits {
  /** 1.. ms for one program. */
  readonly timeoutMs: number;
  /** Most bytes of one listing. */
  readonly maxOutputBytes: number;
  /** File that the legacy programs lock; undefined for their default. */
  readonly lockFile?: string | undefined;
}

/**
 * Spawns programs under LC_ALL=C.
 *
 * The input goes through a pipe, which Node makes a socketpair: iptables-restore and ipset read their standard input
 * as it is (nft reopens it by name, which fails on a socket), so no file is needed and a read-only root is enough.
 */
export function spawnRunner(limits: RunnerLimits): ProgramRunner {
  const env = {
    ...process.env,
    LC_ALL: 'C',
    ...(limits.lockFile === undefined ? {} : { XTABLES_LOCKFILE: limits.lockFile }),
  };
  return (program, args, input = '') =>
    new Promise((resolve, reject) => {
      const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
      const output: Buffer[] = [];
      const errors: Buffer[] = [];
      let outputBytes = 0;
      let errorBytes = 0;
      let failure: IptablesError | undefined;

      const stop = (error: IptablesError): void => {
        failure ??= error;
        child.kill('SIGKILL');
      };
      const timer = setTimeout(() => {
        stop(new IptablesError('TIMEOUT', `${program}: no answer within ${limits.timeoutMs} ms, outcome unknown`));
      }, limits.timeoutMs);

      child.stdout.on('data', (chunk: Buffer) => {
        outputBytes += chunk.length;
        if (outputBytes > limits.maxOutputBytes)
          stop(new IptablesError('OVERFLOW', `${program}: more than ${limits.maxOutputBytes} bytes of output`));
        else output.push(chunk);
      });
      child.stderr.on('data', (chunk: Buffer) => {
        errorBytes += chunk.length;
        if (errorBytes <= MAX_ERROR_BYTES) errors.push(chunk);
      });
      // A program that rejects an early line does not read the others (EPIPE); its exit code and messages say why.
      child.stdin.on('error', () => undefined);
      child.stdin.end(input);
      child.once('error', (cause) => {
        clearTimeout(timer);
        reject(new IptablesError('UNAVAILABLE', `${program} cannot be started: ${cause.message}`, { cause }));
      });
      child.once('close', (exitCode, signal) => {
        clearTimeout(timer);
        if (failure) {
          reject(failure);
        } else if (signal !== null || exitCode === null) {
          reject(new IptablesError('UNAVAILABLE', `${program} was ended by ${signal ?? 'nobody'}, outcome unknown`));
        } else {
          resolve({
            exitCode,
            stdout: Buffer.concat(output).toString('utf8'),
            stderr: Buffer.concat(errors).toString('utf8'),
          });
        }
      });
    });
}
