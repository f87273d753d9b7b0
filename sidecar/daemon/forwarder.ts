import type { Link, OriginalSysctl, Tunnel } from '../../rules/index.js';
import type { Logger } from '../log/logger.js';
import { applySysctls, planForwarding } from '../system/forwarding.js';

export interface ForwarderOptions {
  /** The datapath's packets do not pass a strict reverse path filter. */
  readonly withoutReversePathFilter: boolean;
  /** {@link Forwarder.originals} grew: resolves when the kernel has a note of them, which `down` reads. */
  readonly onOriginals: () => Promise<void>;
  readonly logger: Logger;
}

/** Turns on the forwarding of packets, and remembers what was there before. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  #originals: readonly OriginalSysctl[] = [];
  #problem: string | null = null;
  #isKnown = false;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** What `down` sets back. */
  get originals(): readonly OriginalSysctl[] {
    return this.#originals;
  }

  /** Why packets may not be forwarded; null before the first look. */
  get problem(): string | null {
    return this.#problem;
  }

  /** It was on, or was turned on, at least once. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Takes over what an earlier run noted. */
  adopt(originals: readonly OriginalSysctl[]): void {
    this.#originals = originals;
  }

  /** What is refused is a problem, logged once, and tried again with the next call. */
  async enable(tunnels: readonly Tunnel[], links: readonly Link[]): Promise<void> {
    const { withoutReversePathFilter, onOriginals, logger } = this.#options;
    try {
      const ipv6 = tunnels.some(({ addresses }) => addresses.some(({ family }) => family === 6));
      const changes = await planForwarding({ links, ipv6, withoutReversePathFilter });
      const fresh = changes.filter(({ name }) => !this.#originals.some((original) => original.name === name));
      this.#originals = [...this.#originals, ...fresh.map(({ name, value }) => ({ name, value }))];
      // What `down` sets back is noted in the kernel before it is changed.
      if (changes.length > 0) await onOriginals();
      await applySysctls(changes, logger);
      this.#problem = null;
      this.#isKnown = true;
    } catch (error) {
      const reason = (error as Error).message;
      if (this.#problem !== reason) logger.error('sysctl.failed', { reason });
      this.#problem = reason;
    }
  }
}
