import type { Link } from '../../../rules/index.js';
import type { ConfiguredUplink } from '../../config/places.js';
import type { PacketPath } from '../../firewall/firewall.js';
import type { Logger } from '../../log/logger.js';
import type { Router, UplinkNeed } from '../uplink-seeker.js';
import { UplinkSeeker, configuredRouter, isSame, possibleRouters, resolveRouter } from '../uplink-seeker.js';
import { writeControl } from './proc.js';

export interface ModuleUplinkOptions {
  /** The setting `uplink`; null: found by itself. */
  readonly configured: ConfiguredUplink | null;
  /** Our neighbours' protocol number. */
  readonly protocol: number;
  readonly firewall: Pick<PacketPath, 'seenMacs'>;
  readonly logger: Logger;
}

/**
 * Tells the module its uplink if it cannot find one by itself: it learns one from replies of this host, which an
 * OpenVPN client does not send, and from captured frames.
 */
export class ModuleUplink {
  readonly #options: ModuleUplinkOptions;
  readonly #seeker = new UplinkSeeker();
  /** The configured uplink of the module; null while it finds the uplink itself. */
  #told: Router | null = null;
  /** It has not answered yet. */
  #isGuessed = false;

  constructor(options: ModuleUplinkOptions) {
    this.#options = options;
  }

  /**
   * Continues from the module's state. Any command, `auto` included, makes it forget the uplink that it has,
   * and clients' packets have no way until it found another: so it is told nothing that it does already.
   *
   * @param config the records of the file `config`
   * @throws GwmarkError DATAPATH_FAILED when it refuses
   */
  async adopt(config: readonly string[]): Promise<void> {
    const [, device, mac] = config.find((record) => record.startsWith('uplink '))?.split(' ') ?? [];
    this.#told = device === undefined || mac === undefined ? null : { device, mac };
    if (this.#told === null && device !== 'auto') await writeControl('uplink auto');
  }

  /**
   * @param hasUplink the module has one, told or found
   * @throws GwmarkError DATAPATH_FAILED when it refuses
   */
  async poll(need: UplinkNeed, links: readonly Link[], hasUplink: boolean): Promise<void> {
    const { configured, firewall, protocol } = this.#options;
    if (configured !== null) {
      await this.#follow(configured, links);
      return;
    }
    if (need === 'none') {
      if (this.#told !== null) await writeControl('uplink auto');
      this.#told = null;
      return;
    }
    const seen = (await firewall.seenMacs('uplinks')).filter(({ device }) =>
      links.some((link) => link.device === device),
    );
    const latest = seen.toSorted((a, b) => (b.expiresSeconds ?? 0) - (a.expiresSeconds ?? 0))[0];
    const isCurrentSeen = seen.some((router) => isSame(router, this.#told));
    if (latest !== undefined && !isCurrentSeen) {
      this.#isGuessed = false;
      await this.#tell({ device: latest.device, mac: latest.mac });
      return;
    }
    if (isCurrentSeen) this.#isGuessed = false;
    // An uplink that the module found from captured frames counts as proven.
    const isProven = hasUplink && !this.#isGuessed;
    const candidates = need === 'seeking' ? await possibleRouters(links, protocol) : [];
    const chosen = this.#seeker.choose(need, candidates, isProven, performance.now());
    if (chosen === null) return;
    this.#isGuessed = true;
    await this.#tell(chosen);
  }

  async #follow(configured: ConfiguredUplink, links: readonly Link[]): Promise<void> {
    if (!links.some(({ device }) => device === configured.device)) return;
    const router = await configuredRouter(configured);
    if (router === null) await resolveRouter(configured);
    else await this.#tell(router);
  }

  async #tell(router: Router): Promise<void> {
    if (isSame(router, this.#told)) return;
    await writeControl(`uplink ${router.device} ${router.mac}`);
    this.#told = router;
  }
}
