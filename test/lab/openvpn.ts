import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { Namespace } from './namespace.js';
import type { Identity, Pki } from './pki.js';
import type { LabProcess } from './process.js';

/** OpenVPN's own words for a transport; `udp6`/`tcp6` sockets take IPv4 peers too. */
export type Transport = 'udp4' | 'udp6' | 'tcp4' | 'tcp6';

/** What the server gives to one client, by its common name (`client-config-dir`). */
export interface ClientConfig {
  /** `ifconfig-push`: the client's own IPv4 address. */
  readonly address?: string;
  /** `ifconfig-ipv6-push`: the client's own IPv6 address. */
  readonly address6?: string;
  /** `iroute`: `NETWORK NETMASK`. */
  readonly subnets?: readonly string[];
  /** `iroute-ipv6`: `PREFIX/LENGTH`. */
  readonly subnets6?: readonly string[];
  /** Further lines, verbatim. */
  readonly extra?: readonly string[];
}

/** The management interface of a server. */
export interface ManagementOptions {
  /** `management-client-auth`: clients log in with a user name and the management client decides. */
  readonly clientAuth?: boolean;
  /** `management-hold`: wait for the release before opening anything. */
  readonly hold?: boolean;
  /** Ask for this password. */
  readonly password?: string;
  /** `management-client`: OpenVPN connects, so it is started when its management client listens. */
  readonly connects?: boolean;
  /** `management-query-passwords`: the management client is asked for the passphrase of the private key. */
  readonly queriesPasswords?: boolean;
}

/** How a server is configured. */
export interface OpenVpnServerOptions {
  readonly namespace: Namespace;
  readonly pki: Pki;
  readonly identity: Identity;
  readonly transport: Transport;
  /** Default 1194. */
  readonly port?: number;
  /** `local`: bind to this address; default all. */
  readonly local?: string;
  /** Default `tun0`. */
  readonly device?: string;
  /** IPv4 network and netmask of the tunnel. */
  readonly network: string;
  /** `mode server` without a network and without an address of its own; clients have what `clients` gives them. */
  readonly bare?: boolean;
  /** IPv6 network of the tunnel, `PREFIX/LENGTH`; left out, the tunnel has no IPv6. */
  readonly network6?: string;
  /** Default 1500. Pushed to clients. */
  readonly tunMtu?: number;
  readonly management?: ManagementOptions;
  /** Options pushed to every client, for instance `route 198.51.100.0 255.255.255.0`. */
  readonly push?: readonly string[];
  readonly clients?: Readonly<Record<string, ClientConfig>>;
  /** Ping interval and timeout of clients in seconds; the server's is twice as long. Default {@link PATIENT}. */
  readonly keepalive?: readonly [number, number];
  readonly duplicateCn?: boolean;
  /** Whether the kernel may encrypt (data channel offload). Default {@link OFFLOADS}. */
  readonly dco?: boolean;
  /** Further lines, verbatim. */
  readonly extra?: readonly string[];
  /** What runs the server, in place of {@link OPENVPN}: see `openvpn-version.ts`. */
  readonly program?: readonly string[];
}

/** Peers that a busy machine does not lose. */
const PATIENT = [1, 30] as const;

/** `keepalive` for tests in which a peer dies without a word: it is noticed within seconds. */
export const IMPATIENT = [1, 4] as const;

/** The OpenVPN that servers and clients are, if nothing else is said: LAB_OPENVPN, or this machine's. */
export const OPENVPN = process.env['LAB_OPENVPN'] ?? 'openvpn';

/**
 * Whether servers and clients leave encryption to the kernel where it can (LAB_DCO=true); else the data path under
 * test is the tunnel device that user space serves. Both at once would not tell which of the two a test has seen.
 */
export const OFFLOADS = process.env['LAB_DCO'] === 'true';

/** OpenVPN before 2.6 knows no offload, and refuses an option that it does not know. */
const WITHOUT_DCO = ['ignore-unknown-option disable-dco', 'disable-dco'];

const isTcp = (transport: Transport): boolean => transport.startsWith('tcp');

/** A real OpenVPN server. Disposal stops it. */
export class OpenVpnServer implements AsyncDisposable {
  readonly options: OpenVpnServerOptions;
  readonly port: number;
  /** Path of the management socket; nothing listens there without `options.management`. */
  readonly managementSocket: string;
  #process: LabProcess | undefined;
  readonly #directory: string;

  private constructor(options: OpenVpnServerOptions) {
    this.options = options;
    this.port = options.port ?? 1194;
    this.#directory = path.join(
      options.pki.directory,
      `server-${options.namespace.role}-${this.port}-${options.transport}`,
    );
    this.managementSocket = path.join(this.#directory, 'management.sock');
  }

  /**
   * Writes the configuration and starts the server; resolves once it serves (at once with `hold`). One that `connects`
   * is only configured.
   */
  static async start(options: OpenVpnServerOptions): Promise<OpenVpnServer> {
    const server = new OpenVpnServer(options);
    await server.#configure();
    if (options.management?.connects !== true) await server.start();
    return server;
  }

  /** What holds `management.password`. */
  get passwordFile(): string {
    return path.join(this.#directory, 'management.password');
  }

  get process(): LabProcess {
    if (this.#process === undefined) throw new Error('the OpenVPN server was never started');
    return this.#process;
  }

  /** Starts the process again after {@link stop} or {@link killHard}. */
  async start(): Promise<void> {
    if (this.options.management?.connects !== true) await rm(this.managementSocket, { force: true });
    this.#process = this.options.namespace.spawn(
      [...(this.options.program ?? [OPENVPN]), '--config', path.join(this.#directory, 'server.conf')],
      {
        name: `openvpn server (${this.options.transport})`,
      },
    );
    await this.#process.waitFor(started(this.options.management));
  }

  /** Restarts inside the process (`SIGUSR1` soft, `SIGHUP` with its configuration) and waits until it serves again. */
  async signalRestart(signal: 'SIGUSR1' | 'SIGHUP'): Promise<void> {
    const from = this.process.lines.length;
    this.process.kill(signal);
    await this.process.waitFor(/Initialization Sequence Completed/, { from });
  }

  /** SIGKILL, and waits until the kernel took the tunnel device away. */
  async killHard(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.process.exited;
  }

  /** SIGTERM and wait. Idempotent. */
  async stop(): Promise<void> {
    await this.#process?.stop();
  }

  /** Changes what one client is given from its next connection on. */
  async configureClient(commonName: string, config: ClientConfig): Promise<void> {
    const lines = [
      ...(config.address === undefined
        ? []
        : [`ifconfig-push ${config.address} ${this.options.network.split(' ')[1] ?? '255.255.255.0'}`]),
      ...(config.address6 === undefined || this.options.bare === true
        ? []
        : [`ifconfig-ipv6-push ${config.address6}/${this.options.network6?.split('/')[1] ?? '64'}`]),
      ...(config.subnets ?? []).map((subnet) => `iroute ${subnet}`),
      ...(config.subnets6 ?? []).map((subnet) => `iroute-ipv6 ${subnet}`),
      ...(config.extra ?? []),
    ];
    await writeFile(path.join(this.#directory, 'ccd', commonName), `${lines.join('\n')}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #configure(): Promise<void> {
    const { options } = this;
    await mkdir(path.join(this.#directory, 'ccd'), { recursive: true });
    for (const [commonName, config] of Object.entries(options.clients ?? {}))
      await this.configureClient(commonName, config);
    const { passwordFile } = this;
    const { management } = options;
    if (management?.password !== undefined) await writeFile(passwordFile, `${management.password}\n`, { mode: 0o600 });
    const lines = [
      `proto ${isTcp(options.transport) ? `${options.transport}-server` : options.transport}`,
      `port ${this.port}`,
      ...(options.local === undefined ? [] : [`local ${options.local}`]),
      `dev ${options.device ?? 'tun0'}`,
      'dev-type tun',
      ...((options.dco ?? OFFLOADS) ? [] : WITHOUT_DCO),
      'topology subnet',
      ...(options.bare === true
        ? ['mode server', 'tls-server', 'push "topology subnet"']
        : [`server ${options.network}`]),
      ...(options.network6 === undefined || options.bare === true ? [] : [`server-ipv6 ${options.network6}`]),
      `tun-mtu ${options.tunMtu ?? 1500}`,
      ...securityLines(options.pki, options.identity),
      'dh none',
      `client-config-dir ${path.join(this.#directory, 'ccd')}`,
      `keepalive ${(options.keepalive ?? PATIENT).join(' ')}`,
      ...(management === undefined
        ? []
        : [`management ${this.managementSocket} unix${management.password === undefined ? '' : ` ${passwordFile}`}`]),
      ...(management?.connects ? ['management-client'] : []),
      ...(management?.clientAuth ? ['management-client-auth'] : []),
      ...(management?.hold ? ['management-hold'] : []),
      ...(management?.queriesPasswords ? ['management-query-passwords'] : []),
      ...(options.duplicateCn ? ['duplicate-cn'] : []),
      ...(options.push ?? []).map((option) => `push "${option}"`),
      'persist-key',
      'persist-tun',
      'verb 3',
      ...(options.extra ?? []),
    ];
    await writeFile(path.join(this.#directory, 'server.conf'), `${lines.join('\n')}\n`);
  }
}

/** How a client is configured. */
export interface OpenVpnClientOptions {
  readonly namespace: Namespace;
  readonly pki: Pki;
  readonly identity: Identity;
  readonly transport: Transport;
  /** The endpoint's address. */
  readonly remote: string;
  /** Default 1194. */
  readonly port?: number;
  /** Default `tun0`. */
  readonly device?: string;
  /** Log in with a user name (needed under `management-client-auth`). */
  readonly login?: { readonly username: string; readonly password: string };
  /** A management interface of its own, for a sidecar beside this client. */
  readonly management?: Pick<ManagementOptions, 'hold'>;
  /** Whether the kernel may encrypt (data channel offload). Default {@link OFFLOADS}. */
  readonly dco?: boolean;
  /** Further lines, verbatim. */
  readonly extra?: readonly string[];
  /** What runs the client, in place of {@link OPENVPN}: see `openvpn-version.ts`. */
  readonly program?: readonly string[];
}

/** A real OpenVPN client. Disposal stops it, which tells the server over UDP at once. */
export class OpenVpnClient implements AsyncDisposable {
  readonly options: OpenVpnClientOptions;
  readonly process: LabProcess;
  /** Path of the management socket; nothing listens there without `options.management`. */
  readonly managementSocket: string;

  private constructor(options: OpenVpnClientOptions, process: LabProcess, managementSocket: string) {
    this.options = options;
    this.process = process;
    this.managementSocket = managementSocket;
  }

  /** Starts a client without waiting for its connection. */
  static async launch(options: OpenVpnClientOptions): Promise<OpenVpnClient> {
    const base = path.join(options.pki.directory, `client-${options.namespace.role}-${options.identity.commonName}`);
    const lines = [
      'client',
      `proto ${isTcp(options.transport) ? `${options.transport}-client` : options.transport}`,
      `remote ${options.remote} ${options.port ?? 1194}`,
      `dev ${options.device ?? 'tun0'}`,
      'dev-type tun',
      ...((options.dco ?? OFFLOADS) ? [] : WITHOUT_DCO),
      'nobind',
      'remote-cert-tls server',
      ...securityLines(options.pki, options.identity),
      'connect-retry 1 1',
      'connect-timeout 4',
      'auth-retry nointeract',
      ...(isTcp(options.transport) ? [] : ['explicit-exit-notify 1']),
      'persist-key',
      'persist-tun',
      'verb 3',
      ...(options.login === undefined ? [] : [`auth-user-pass ${base}.login`]),
      ...(options.management === undefined ? [] : [`management ${base}.sock unix`]),
      ...(options.management?.hold ? ['management-hold'] : []),
      ...(options.extra ?? []),
    ];
    await rm(`${base}.sock`, { force: true });
    if (options.login !== undefined) {
      await writeFile(`${base}.login`, `${options.login.username}\n${options.login.password}\n`, { mode: 0o600 });
    }
    await writeFile(`${base}.conf`, `${lines.join('\n')}\n`);
    const process = options.namespace.spawn([...(options.program ?? [OPENVPN]), '--config', `${base}.conf`], {
      name: `openvpn client ${options.identity.commonName} in ${options.namespace.role} (${options.transport})`,
    });
    return new OpenVpnClient(options, process, `${base}.sock`);
  }

  /** Starts a client and resolves once it is connected. */
  static async start(options: OpenVpnClientOptions): Promise<OpenVpnClient> {
    const client = await OpenVpnClient.launch(options);
    try {
      await client.connected();
      return client;
    } catch (error) {
      await client.stop();
      throw error;
    }
  }

  /** Resolves at the first "Initialization Sequence Completed" in the log at or after line `from`. */
  async connected(options: { from?: number; timeoutMs?: number } = {}): Promise<void> {
    await this.process.waitFor(/Initialization Sequence Completed/, { timeoutMs: 20_000, ...options });
  }

  /** SIGTERM and wait. Idempotent. */
  async stop(): Promise<void> {
    await this.process.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** What a server's log says once it serves, or waits for its management client. */
function started(management: ManagementOptions | undefined): RegExp {
  if (management?.hold) return /Need hold release|Initialization Sequence Completed/;
  return management?.queriesPasswords
    ? /Need password\(s\) from management interface/
    : /Initialization Sequence Completed/;
}

function securityLines(pki: Pki, identity: Identity): string[] {
  return [`ca ${pki.ca}`, `cert ${identity.certificate}`, `key ${identity.key}`, 'data-ciphers AES-256-GCM'];
}
