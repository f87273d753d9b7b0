import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Capture } from './capture.js';
import { Sidecar } from './sidecar.js';
import { ADDRESS, OneArm } from './topology.js';
import { type Party, reach } from './traffic.js';
import { FAMILIES, TUNNEL } from './vpn-lab.js';

/**
 * The one-arm topology without OpenVPN: the VPN of another program is the test's. Its addresses are those of
 * {@link TUNNEL}. Disposal ends sidecar and topology; what the test started ends with its namespace.
 */
export class SourceLab implements AsyncDisposable {
  readonly topology: OneArm;
  /** For configuration, keys and the control socket. */
  readonly directory: string;
  readonly managementSocket = null;
  #sidecar: Sidecar | undefined;

  private constructor(topology: OneArm, directory: string) {
    this.topology = topology;
    this.directory = directory;
  }

  static async create(): Promise<SourceLab> {
    const directory = await mkdtemp(path.join(tmpdir(), `gwmark-lab-${process.pid}-`));
    return new SourceLab(await OneArm.create(), directory);
  }

  get sidecar(): Sidecar {
    if (this.#sidecar === undefined) throw new Error('the lab has no sidecar yet');
    return this.#sidecar;
  }

  /** Writes the configuration file; a running sidecar reads it on SIGHUP. */
  async configure(yaml: string): Promise<string> {
    const file = path.join(this.directory, 'gwmark.yaml');
    await writeFile(file, yaml);
    return file;
  }

  /** Starts the sidecar with this configuration, without waiting until it is ready. */
  async launch(yaml: string, ...flags: readonly string[]): Promise<Sidecar> {
    this.#sidecar = Sidecar.launch({
      namespace: this.topology.endpoint,
      directory: this.directory,
      managementSocket: null,
      flags: ['--config', await this.configure(yaml), ...flags],
    });
    return this.#sidecar;
  }

  /** As of `VpnLab`: the flags name a configuration. */
  async startSidecar(...flags: readonly string[]): Promise<Sidecar> {
    this.#sidecar = await Sidecar.start({
      namespace: this.topology.endpoint,
      directory: this.directory,
      managementSocket: null,
      flags,
    });
    return this.#sidecar;
  }

  /** Every router sends something to the endpoint, as on a real day. */
  async introduceRouters(): Promise<void> {
    await Promise.all(
      (['r1', 'r2', 'u'] as const).flatMap((router) =>
        FAMILIES.map((family) => reach(this.topology[router], ADDRESS.endpoint[family])),
      ),
    );
  }

  /** As of `VpnLab`. */
  party(name: 'hostA' | 'hostB' | 'site' | 'client1' | 'client2', family: 'v4' | 'v6'): Party {
    const isClient = name === 'client1' || name === 'client2';
    return { namespace: this.topology[name], address: isClient ? TUNNEL[name][family] : ADDRESS[name][family] };
  }

  /** Records what crosses the endpoint's cable. */
  async capture(filter = ''): Promise<Capture> {
    return await Capture.start(this.topology.switch, 'to-endpoint', filter);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sidecar?.[Symbol.asyncDispose]();
    await this.topology[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true, force: true });
  }
}
