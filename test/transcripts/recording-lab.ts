import { connect, Namespace } from '../lab/namespace.js';
import { OpenVpnClient, OpenVpnServer, type OpenVpnClientOptions, type OpenVpnServerOptions } from '../lab/openvpn.js';
import { Pki } from '../lab/pki.js';
import type { Recording } from './recording.js';

export const LOGIN = { username: 'alice', password: 'not-a-secret' };

/** One recording: what is set up, said and heard. */
export type Scenario = (lab: RecordingLab) => Promise<Recording>;
export type Scenarios = Readonly<Record<string, { readonly about: string; readonly run: Scenario }>>;

/** A server's namespace with a cable to each of two clients', documentation addresses only. */
export class RecordingLab implements AsyncDisposable {
  readonly pki: Pki;
  readonly server: Namespace;
  readonly near: Namespace;
  readonly far: Namespace;

  private constructor(pki: Pki, server: Namespace, near: Namespace, far: Namespace) {
    this.pki = pki;
    this.server = server;
    this.near = near;
    this.far = far;
  }

  static async create(): Promise<RecordingLab> {
    const [pki, server, near, far] = [
      await Pki.create(),
      await Namespace.create('server'),
      await Namespace.create('near'),
      await Namespace.create('far'),
    ];
    await connect({ namespace: server, device: 'eth1' }, { namespace: near, device: 'eth0' });
    await connect({ namespace: server, device: 'eth2' }, { namespace: far, device: 'eth0' });
    await server.ip(
      'addr add 192.0.2.1/25 dev eth1',
      'addr add 192.0.2.129/25 dev eth2',
      'addr add 2001:db8:1::1/64 dev eth1',
      'addr add 2001:db8:2::1/64 dev eth2',
    );
    await near.ip('addr add 192.0.2.10/25 dev eth0', 'addr add 2001:db8:1::10/64 dev eth0');
    await far.ip('addr add 192.0.2.140/25 dev eth0', 'addr add 2001:db8:2::10/64 dev eth0');
    return new RecordingLab(pki, server, near, far);
  }

  async serve(options: Partial<OpenVpnServerOptions>): Promise<OpenVpnServer> {
    return OpenVpnServer.start({
      namespace: this.server,
      pki: this.pki,
      identity: await this.pki.issue('server', 'server'),
      transport: 'udp4',
      network: '198.51.100.0 255.255.255.0',
      network6: '2001:db8:8::/64',
      ...options,
    });
  }

  /** Starts a client; it takes no address, so that two of them and the server do not meet in one routing table. */
  async dial(commonName: string, options: Partial<OpenVpnClientOptions> = {}): Promise<OpenVpnClient> {
    return OpenVpnClient.launch({
      namespace: this.near,
      pki: this.pki,
      identity: await this.pki.issue(commonName, 'client'),
      transport: 'udp4',
      remote: options.namespace === this.far ? '192.0.2.129' : '192.0.2.1',
      login: LOGIN,
      extra: ['ifconfig-noexec', 'route-noexec'],
      ...options,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const resource of [this.near, this.far, this.server, this.pki]) await resource[Symbol.asyncDispose]();
  }
}

/** The greeting that most scenarios have: version, everything in the environment, states on. */
export async function greet(recording: Recording): Promise<void> {
  await recording.hear(/>INFO:[^\r]*\r\n/);
  await recording.askRows('version');
  await recording.ask('env-filter 0');
  recording.send('state on all', 'pid');
  await recording.hear(/SUCCESS: pid=\d+\r\n/);
}
