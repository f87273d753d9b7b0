import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import type { Sidecar } from './sidecar.js';
import { eventually } from './wait.js';

const PRELOAD = fileURLToPath(new URL('./preload/heap-probe.js', import.meta.url));

/** What a sidecar has after a garbage collection. */
export interface Footprint {
  /** How often it was read so far. */
  readonly count: number;
  /** Bytes of live JavaScript objects. */
  readonly heapUsed: number;
  /** Bytes outside of the heap that objects hold. */
  readonly external: number;
  /** Resident bytes of the process. */
  readonly rss: number;
  /** Open file descriptors, one of them for reading their list. */
  readonly descriptors: number;
}

/** Reads the memory and the descriptors of a sidecar that was started with {@link env}. */
export class HeapProbe {
  readonly #file: string;

  /** @param file that does not exist, in a directory that the sidecar may write to */
  constructor(file: string) {
    this.#file = file;
  }

  /** For `SidecarOptions.env`. */
  get env(): Readonly<Record<string, string>> {
    return { NODE_OPTIONS: `--expose-gc --import=${PRELOAD}`, HEAP_PROBE: this.#file };
  }

  async read(sidecar: Sidecar): Promise<Footprint> {
    const before = (await this.#latest())?.count ?? 0;
    sidecar.process.kill('SIGUSR2');
    return await eventually(
      async () => {
        const latest = await this.#latest();
        return latest !== null && latest.count > before && latest;
      },
      { what: "the sidecar's footprint", timeoutMs: 20_000 },
    );
  }

  async #latest(): Promise<Footprint | null> {
    // Written by the preload as a whole.
    return await readFile(this.#file, 'utf8').then(
      (text) => JSON.parse(text) as Footprint,
      () => null,
    );
  }
}

/** Bytes of live objects and of what they hold outside of the heap. */
export function liveBytes({ heapUsed, external }: Footprint): number {
  return heapUsed + external;
}

/** In one line. */
export function describeFootprint(footprint: Footprint): string {
  return `live ${megabytes(liveBytes(footprint))}, resident ${megabytes(footprint.rss)}, ${footprint.descriptors} descriptors`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
