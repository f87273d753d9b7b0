import { openNftables, type Nftables } from 'nftables-json';
import { isNotFound } from 'nftables-json';
import type { FakeManagementServer } from 'openvpn-management-client/testing';
import type { Settings } from '../../../sidecar/config/settings.js';
import type { FlatSettings } from '../../../sidecar/config/table.js';
import { Daemon } from '../../../sidecar/daemon/daemon.js';
import { policyOf } from '../../../sidecar/config/policy.js';
import { NetlinkRouting } from '../../../sidecar/routing/netlink/netlink-routing.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';
import { eventually } from '../../lab/wait.js';
import { settingsFor } from '../../protocol/openvpn/instance-rig.js';
import { elementsOf } from '../firewall/kernel.js';

/** What the suite does not want to wait for, and what it must not touch. */
const DEFAULTS: Partial<FlatSettings> = {
  sysctl: 'leave',
  'gateways.pollIntervalMs': 100,
  'management.connectTimeoutMs': 500,
};

function settingsOf(fakes: readonly (FakeManagementServer | string)[], overrides: Partial<FlatSettings>): Settings {
  const [first = '', ...others] = fakes.map((fake) => (typeof fake === 'string' ? fake : fake.endpoint));
  const one = settingsFor(first, { ...DEFAULTS, ...overrides });
  const endpoints = [
    ...one.management.endpoints,
    ...others.flatMap((endpoint) => settingsFor(endpoint).management.endpoints),
  ];
  return { ...one, management: { ...one.management, endpoints } };
}

/** A daemon in this namespace that follows fake management servers. Disposal ends it; the kernel stays as it is. */
export class DaemonRig implements AsyncDisposable {
  readonly nft: Nftables;
  readonly daemon: Daemon;
  readonly log: ReturnType<typeof captureLog>;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  readonly #routing: NetlinkRouting;

  private constructor(nft: Nftables, routing: NetlinkRouting, daemon: Daemon, log: ReturnType<typeof captureLog>) {
    this.nft = nft;
    this.#routing = routing;
    this.#routing = routing;
    this.daemon = daemon;
    this.log = log;
    this.#running = daemon.run(this.#stop.signal);
    // A failure shows when the rig is disposed of.
    this.#running.catch(() => undefined);
  }

  static async start(
    fakes: readonly (FakeManagementServer | string)[],
    overrides: Partial<FlatSettings> = {},
  ): Promise<DaemonRig> {
    const settings = settingsOf(fakes, overrides);
    const nft = await openNftables();
    const routing = await NetlinkRouting.open();
    const log = captureLog();
    const means = { tool: { kind: 'nftables', nft }, routing } as const;
    return new DaemonRig(nft, routing, new Daemon(settings, policyOf(settings), 'nexthop', means, log.logger), log);
  }

  /** What SIGHUP does with a configuration that names these. */
  async reconfigure(
    fakes: readonly (FakeManagementServer | string)[],
    overrides: Partial<FlatSettings> = {},
  ): Promise<void> {
    await this.daemon.reconfigure(settingsOf(fakes, overrides));
  }

  get running(): Promise<void> {
    return this.#running;
  }

  /** Elements of a set of ours; none where there is no table. */
  async elements(name: string): Promise<readonly string[]> {
    try {
      return await elementsOf(this.nft, 'gwmark', name);
    } catch (error) {
      if (isNotFound(error)) return [];
      throw error;
    }
  }

  async ready(): Promise<this> {
    await this.until(() => this.daemon.status().ready, 'a ready daemon');
    return this;
  }

  async until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    try {
      await eventually(condition, { what, timeoutMs: 8000, intervalMs: 10 });
    } catch (error) {
      throw new Error(`${what}: ${JSON.stringify(this.daemon.status().problems)}\n${this.log.text()}`, {
        cause: error,
      });
    }
  }

  /** Waits until client4 has exactly these. */
  async has(...addresses: readonly string[]): Promise<void> {
    const wanted = addresses
      .map((address) => JSON.stringify(address))
      .toSorted()
      .join();
    await this.until(async () => (await this.elements('client4')).join() === wanted, `client4 = ${wanted}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.daemon[Symbol.asyncDispose]();
    await this.#routing[Symbol.asyncDispose]();
    await this.nft[Symbol.asyncDispose]();
  }
}
