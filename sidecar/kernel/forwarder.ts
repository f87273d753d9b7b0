import type { OriginalSysctl, Site } from '../../rules/index.js';
import { needsMarkedErrors } from '../../rules/index.js';
import type { DatapathKind } from '../datapath/datapath.js';
import type { Logger } from '../log/logger.js';
import { Debounced } from '../system/debounced.js';
import { applySysctls, planForwarding } from '../system/forwarding.js';

/** What decides which sysctls are set. */
type ForwardedSite = Pick<Site, 'tunnels' | 'links' | 'transports'>;

export interface ForwarderOptions {
  readonly datapath: DatapathKind;
  /** The setting `sysctl: manage`, now. */
  readonly isManaging: () => boolean;
  /** What packets are forwarded between, now; null while nothing is. */
  readonly site: () => ForwardedSite | null;
  /** An OpenVPN has a tunnel: packets should be forwarded. */
  readonly hasTunnel: () => boolean;
  /** {@link Forwarder.savedSysctls} grew: resolves when the kernel has a note of them, which `down` reads. */
  readonly onSavedSysctls: () => Promise<void>;
  readonly logger: Logger;
}

/** Turns on the forwarding of packets, and remembers what was there before. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  #savedSysctls: readonly OriginalSysctl[] = [];
  /** Optional ones that were said to be refused. */
  readonly #refused = new Set<string>();
  #problem: string | null = null;
  /** It was on, or was turned on, at least once. */
  #isKnown = false;
  readonly #enable: Debounced;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#enable = new Debounced(0, () => this.#enableNow(), options.logger);
  }

  /** What `down` restores. */
  get savedSysctls(): readonly OriginalSysctl[] {
    return this.#savedSysctls;
  }

  /** Why packets may not be forwarded, or are not yet; null when they are. */
  get problem(): string | null {
    const { isManaging, hasTunnel } = this.#options;
    if (this.#problem !== null) return this.#problem;
    return isManaging() && !this.#isKnown && hasTunnel() ? 'forwarding is being enabled' : null;
  }

  /** Takes over what an earlier run noted. */
  adopt(savedSysctls: readonly OriginalSysctl[]): void {
    this.#savedSysctls = savedSysctls;
  }

  /** Turns forwarding on for the site of now. What is refused is a problem, logged once, and retried by the next call. */
  soon(): void {
    this.#enable.soon();
  }

  stop(): void {
    this.#enable.stop();
  }

  async #enableNow(): Promise<void> {
    const { isManaging, site } = this.#options;
    const now = site();
    if (isManaging() && now !== null && now.tunnels.length > 0) await this.#enableFor(now);
  }

  async #enableFor({ tunnels, links, transports }: ForwardedSite): Promise<void> {
    const { datapath, onSavedSysctls, logger } = this.#options;
    try {
      const changes = await planForwarding({
        links,
        tunnels: tunnels.map(({ device }) => device),
        ipv6: tunnels.some(({ addresses }) => addresses.some(({ family }) => family === 6)),
        hasTurnedOnIpv6: this.#savedSysctls.some(
          ({ name, value }) => name === 'net/ipv6/conf/all/forwarding' && value === '0',
        ),
        withMarkedErrors: datapath === 'nexthop' && needsMarkedErrors({ transports }),
        // The module has no routes that rp_filter could find.
        withoutReversePathFilter: datapath === 'module',
      });
      const fresh = changes.filter(({ name }) => !this.#savedSysctls.some((original) => original.name === name));
      this.#savedSysctls = [...this.#savedSysctls, ...fresh.map(({ name, value }) => ({ name, value }))];
      // What `down` restores is noted in the kernel before it is changed.
      if (changes.length > 0) await onSavedSysctls();
      for (const { name, value, to } of await applySysctls(changes, logger)) {
        if (!this.#refused.has(name)) logger.warn('sysctl.optional', { name, from: value, to });
        this.#refused.add(name);
      }
      this.#problem = null;
      this.#isKnown = true;
    } catch (error) {
      const reason = (error as Error).message;
      if (this.#problem !== reason) logger.error('sysctl.failed', { reason });
      this.#problem = reason;
    }
  }
}
