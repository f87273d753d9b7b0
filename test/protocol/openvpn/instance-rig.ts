import { parseEndpoint } from 'openvpn-management-client';
import type { FakeManagementServerOptions } from 'openvpn-management-client/testing';
import { FakeManagementServer } from 'openvpn-management-client/testing';
import type { Tunnel } from '../../../rules/index.js';
import { networkKey } from '../../../rules/index.js';
import { resolveSettings } from '../../../sidecar/config/resolve.js';
import { buildSettings, type Settings } from '../../../sidecar/config/settings.js';
import type { FlatSettings } from '../../../sidecar/config/table.js';
import { Instance } from '../../../sidecar/openvpn/instance.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';
import { ClientNetworks } from '../../../sidecar/sessions/client-networks.js';
import { Holds } from '../../../sidecar/sessions/holds.js';
import { eventually } from '../../lab/wait.js';
import { network } from '../../unit/rules/sample-site.js';

/** The tunnel of the fake server's state. */
export const TUN0: Tunnel = {
  device: 'tun0',
  families: [4, 6],
  addresses: [network('10.64.0.1'), network('2001:db8:8::1')],
  connected: [network('10.64.0.0/10'), network('2001:db8:8::/64')],
  covered: [network('10.64.0.0/10'), network('2001:db8:8::/64')],
};

/** Quick: what a test waits for comes by events, not by timers, unless it says so. */
const QUICK: Partial<FlatSettings> = {
  'management.backoffMinMs': 10,
  'management.backoffMaxMs': 20,
  'management.snapshotIntervalMs': 3_600_000,
  'management.pollIntervalMs': 3_600_000,
  transport: [{ protocol: 'udp', address: null, port: 1194, endpoint: null }],
};

/** The default settings with one endpoint and some overrides. */
export function settingsFor(endpoint: string, overrides: Partial<FlatSettings> = {}): Settings {
  const parsed = parseEndpoint(endpoint);
  if (parsed === undefined) throw new Error(`${endpoint} is no endpoint`);
  const { flat } = resolveSettings([], '/');
  return buildSettings({ ...flat, 'management.endpoints': [parsed], ...QUICK, ...overrides }, new Map());
}

/** An instance that follows a fake one, with devices as the test says. */
export class InstanceRig implements AsyncDisposable {
  readonly fake: FakeManagementServer;
  readonly instance: Instance;
  readonly clients: ClientNetworks;
  readonly holds = new Holds();
  readonly log = captureLog();
  /** What the next look at the kernel's devices tells. */
  tunnels: readonly Tunnel[] = [TUN0];
  /** Awaited before each `resolve`, and before `hold release`. */
  whenResolved: () => Promise<void> = () => Promise.resolve();
  whenApplied: () => Promise<void> = () => Promise.resolve();
  readonly #running: Promise<void>;

  private constructor(
    fake: FakeManagementServer,
    overrides: Partial<FlatSettings>,
    clients: ClientNetworks,
    management: string,
  ) {
    this.fake = fake;
    this.clients = clients;
    const settings = settingsFor(management, overrides);
    const [endpoint] = settings.management.endpoints;
    if (endpoint === undefined) throw new Error('no endpoint');
    this.instance = new Instance({
      endpoint,
      settings,
      clients,
      holds: this.holds,
      logger: this.log.logger,
      onClientChanged: () => undefined,
      onServerChanged: async () => {
        await this.whenResolved();
        await this.instance.resolve({ links: [], tunnels: this.tunnels, taps: [] });
      },
      earlierTransports: () => [],
      whenApplied: () => this.whenApplied(),
    });
    this.#running = this.instance.run();
    // Whoever wants to see it end takes it from `running`.
    this.#running.catch(() => undefined);
  }

  /** @param management where it finds OpenVPN, if not at the fake */
  static async start(
    overrides: Partial<FlatSettings> = {},
    options: FakeManagementServerOptions = {},
    clients = new ClientNetworks(),
    describe: (fake: FakeManagementServer) => void = () => undefined,
    management?: string,
  ): Promise<InstanceRig> {
    const fake = await FakeManagementServer.listen(options);
    describe(fake);
    return new InstanceRig(fake, overrides, clients, management ?? fake.endpoint);
  }

  get running(): Promise<void> {
    return this.#running;
  }

  /** Client networks that are wanted now, sorted. */
  get networks(): readonly string[] {
    return [...this.clients.list()].map(networkKey).toSorted();
  }

  /** `epoch cid` of everybody who is connected. */
  get sessions(): readonly string[] {
    return this.instance.roleStatus().clients.map(({ epoch, cid }) => `${epoch} ${cid}`);
  }

  async ready(): Promise<this> {
    await this.until(() => this.instance.state === 'ready', 'a ready server');
    return this;
  }

  /** Waits until the networks are these. */
  async have(...keys: readonly string[]): Promise<void> {
    const wanted = keys.toSorted().join(' ');
    await this.until(
      () => this.networks.join(' ') === wanted,
      () => `the networks ${wanted || '(none)'}, not ${this.networks.join(' ')}`,
    );
  }

  async until(condition: () => boolean, what: string | (() => string)): Promise<void> {
    try {
      await eventually(condition, { what: 'it', timeoutMs: 3000, intervalMs: 5 });
    } catch (error) {
      throw new Error(`${typeof what === 'string' ? what : what()}\n${this.log.text()}`, { cause: error });
    }
  }

  /** How often the fake was asked this. */
  asked(command: string): number {
    return this.fake.commands.filter((line) => line === command).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.instance[Symbol.asyncDispose]();
    await this.fake.close();
  }
}
