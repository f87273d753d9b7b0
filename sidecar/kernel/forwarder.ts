import type { Family, OriginalSysctl, Site } from '../../rules/index.js';
import { needsMarkedErrors } from '../../rules/index.js';
import type { DatapathKind } from '../datapath/datapath.js';
import type { Logger } from '../log/logger.js';
import { Debounced } from '../system/debounced.js';
import { applySysctls, planForwarding } from '../system/forwarding.js';

/** The inputs that decide which sysctls are set. */
type ForwardedSite = Pick<Site, 'tunnels' | 'links' | 'transports'>;

export interface ForwarderOptions {
  readonly datapath: DatapathKind;
  /** The setting `sysctl: manage`, now. */
  readonly isManaging: () => boolean;
  /** The devices that packets are forwarded between, now; null while there are none. */
  readonly site: () => ForwardedSite | null;
  /** An OpenVPN has a tunnel, so packets must be forwarded. */
  readonly hasTunnel: () => boolean;
  /** Links with proxy neighbours, by family. */
  readonly announcing: () => Readonly<Record<Family, readonly string[]>>;
  /** {@link Forwarder.savedSysctls} grew: resolves when the kernel has a note of them, which `down` reads. */
  readonly onSavedSysctls: () => Promise<void>;
  readonly logger: Logger;
}

/** Enables forwarding, and remembers the previous values. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  #savedSysctls: readonly OriginalSysctl[] = [];
  /** Optional sysctls whose failure was logged. */
  readonly #refused = new Set<string>();
  #problem: string | null = null;
  /** Forwarding was on, or was enabled, at least once. */
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

  /** Takes over the values that an earlier run noted. */
  adopt(savedSysctls: readonly OriginalSysctl[]): void {
    this.#savedSysctls = savedSysctls;
  }

  /** Enables forwarding for the current site. A failure is a problem, logged once, and retried by the next call. */
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
    const { datapath, announcing, onSavedSysctls, logger } = this.#options;
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
        announcing: announcing(),
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
