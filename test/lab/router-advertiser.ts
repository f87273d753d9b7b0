import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { connect, Namespace } from './namespace.js';
import { eventually } from './wait.js';

/**
 * A router of real radvd on a cable of its own to a namespace: it advertises itself as default router, with a prefix,
 * every few seconds. Disposal stops it and removes the cable.
 */
export class RouterAdvertiser implements AsyncDisposable {
  readonly #namespace: Namespace;
  readonly #host: Namespace;
  readonly device: string;

  private constructor(namespace: Namespace, host: Namespace, device: string) {
    this.#namespace = namespace;
    this.#host = host;
    this.device = device;
  }

  /**
   * Plugs a router into `host`, whose end of the cable has `accept_ra=1`.
   *
   * @param prefix a /64
   * @param directory where radvd's configuration is written
   */
  static async create(host: Namespace, device: string, prefix: string, directory: string): Promise<RouterAdvertiser> {
    const namespace = await Namespace.create(`ra-${device}`, { forwarding: true });
    await connect({ namespace: host, device }, { namespace, device: 'lan0' });
    await host.sysctl(`net.ipv6.conf.${device}.accept_ra=1`, `net.ipv6.conf.${device}.autoconf=1`);
    await Promise.all([namespace.ip('link set lan0 up'), host.ip(`link set ${device} up`)]);
    const file = path.join(directory, `radvd-${device}`);
    const lines = [
      'interface lan0 {',
      'AdvSendAdvert on;',
      'MinRtrAdvInterval 3;',
      'MaxRtrAdvInterval 4;',
      `prefix ${prefix} { };`,
      '};',
    ];
    await writeFile(`${file}.conf`, `${lines.join('\n')}\n`);
    namespace.spawn(['radvd', '-n', '-m', 'stderr', '-C', `${file}.conf`, '-p', `${file}.pid`], {
      name: `radvd for ${device}`,
    });
    return new RouterAdvertiser(namespace, host, device);
  }

  /** Resolves once the host has a default route that this router advertised. */
  async isRouter(): Promise<void> {
    await eventually(async () => await this.hasRoute(), {
      what: `a default route by ${this.device}`,
      timeoutMs: 15_000,
    });
  }

  /** The host has a default route by this router. */
  async hasRoute(): Promise<boolean> {
    return (await this.#host.run(['ip', '-6', 'route', 'show', 'default', 'dev', this.device, 'proto', 'ra'])) !== '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#namespace[Symbol.asyncDispose]();
  }
}
