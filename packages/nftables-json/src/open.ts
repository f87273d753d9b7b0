import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { ExecutorNftables } from './executor-nftables.js';
import type { ExecutorLimits } from './executor.js';
import { LibraryExecutor } from './library-executor.js';
import { NftError } from './nft-error.js';
import type { Nftables } from './nftables.js';
import { ProcessExecutor } from './process-executor.js';

export interface NftablesOptions {
  /** `auto` (default): libnftables in this process, else the spawned program. */
  readonly executor?: 'auto' | 'library' | 'process';
  /** Called once with the reason why `auto` selected the spawned program. */
  readonly onFallback?: (reason: string) => void;
  /** Default `libnftables.so.1`, found as the dynamic linker does. */
  readonly libraryPath?: string;
  /** Default `nft`, found in PATH. */
  readonly program?: string;
  /** 1.. ms for one exchange with nftables, default 30000: 100,000 elements need less than one second. */
  readonly timeoutMs?: number;
  /** Most bytes of one listing, default 256 MiB: 100,000 addresses print 2 MB. */
  readonly maxOutputBytes?: number;
}

/**
 * Opens the nftables of the present network namespace and probes it, so that a missing library, program or right is
 * known at once.
 *
 * The caller owns the result and disposes it.
 *
 * @throws NftError UNAVAILABLE with the reason, among them rules that this version of nftables crashes on; EPERM
 * without CAP_NET_ADMIN
 */
export async function openNftables(options: NftablesOptions = {}): Promise<Nftables> {
  const limits: ExecutorLimits = {
    timeoutMs: positive('timeoutMs', options.timeoutMs ?? 30_000),
    maxOutputBytes: positive('maxOutputBytes', options.maxOutputBytes ?? 256 * 1024 * 1024),
  };
  const mode = options.executor ?? 'auto';
  if (mode !== 'process') {
    await refuseCrash(options.program ?? 'nft', limits.timeoutMs);
    try {
      refuseHighDescriptors();
      const executor = await LibraryExecutor.open(options.libraryPath ?? 'libnftables.so.1', limits);
      return await probed(new ExecutorNftables(executor));
    } catch (error) {
      if (mode === 'library' || !(error instanceof NftError) || error.code !== 'UNAVAILABLE') {
        throw error;
      }
      options.onFallback?.(error.message);
    }
  }
  return probed(new ExecutorNftables(new ProcessExecutor(options.program ?? 'nft', limits)));
}

/** FD_SETSIZE of select(2), less those that libnftables opens. */
const HIGHEST_DESCRIPTOR = 1000;

/** libnftables waits for its socket with select(2), which aborts a process whose descriptor is above 1023. */
function refuseHighDescriptors(): void {
  const lowestFree = openSync('/dev/null', 'r');
  closeSync(lowestFree);
  if (lowestFree > HIGHEST_DESCRIPTOR)
    throw new NftError(
      'UNAVAILABLE',
      `${lowestFree} files are open in this process, which is more than libnftables supports`,
    );
}

/**
 * nftables 1.0.6 falls over named sets that 1.1 made (a segmentation fault, whatever is listed), and a library takes
 * this process with it: so another process checks first, if the program exists.
 */
async function refuseCrash(program: string, timeoutMs: number): Promise<void> {
  const signal = await new Promise<NodeJS.Signals | null>((resolve) => {
    const child = spawn(program, ['list', 'tables'], { stdio: 'ignore', timeout: timeoutMs });
    child.once('error', () => resolve(null));
    child.once('exit', (_code, by) => resolve(by));
  });
  if (signal !== 'SIGSEGV' && signal !== 'SIGABRT' && signal !== 'SIGBUS') return;
  throw new NftError(
    'UNAVAILABLE',
    `${program} crashes (${signal}) as it reads the rules that are here: a newer nftables made them, and the library of this one would crash as well; use the same version of nftables as the program that made them`,
  );
}

async function probed(nftables: Nftables): Promise<Nftables> {
  try {
    await nftables.features();
    return nftables;
  } catch (error) {
    await nftables[Symbol.asyncDispose]();
    throw error;
  }
}

function positive(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new NftError('EINVAL', `${name}: ${value} is not a whole number above 0`);
  }
  return value;
}
