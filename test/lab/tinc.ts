import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { Namespace } from './namespace.js';
import { exec, type LabProcess } from './process.js';
import type { AddressPair } from './topology.js';

/** One machine of a tinc network. */
export interface TincNode {
  readonly namespace: Namespace;
  /** Letters and digits. */
  readonly name: string;
  readonly device: string;
  /** Its own addresses, each with a prefix length. */
  readonly addresses: AddressPair;
  /** What is behind it, as other machines see it. */
  readonly subnets: readonly string[];
  /** Where others connect to. */
  readonly address?: string;
}

/**
 * A tinc network of Debian's tinc 1.0: each machine has a tun device, and a process that sends to the others from and to
 * port 655, over TCP and UDP.
 */
export class TincNetwork implements AsyncDisposable {
  readonly #directory: string;
  readonly #nodes: readonly TincNode[];
  readonly #processes = new Map<string, LabProcess>();

  private constructor(directory: string, nodes: readonly TincNode[]) {
    this.#directory = directory;
    this.#nodes = nodes;
  }

  /** Makes keys and configuration in a directory of the caller's; the first machine is the one that others connect to. */
  static async create(directory: string, nodes: readonly TincNode[]): Promise<TincNetwork> {
    const network = new TincNetwork(directory, nodes);
    const [hub] = nodes;
    const texts: (readonly [name: string, text: string])[] = [];
    for (const node of nodes) {
      const own = network.#directoryOf(node.name);
      await mkdir(path.join(own, 'hosts'), { recursive: true });
      const lines = [
        `Name = ${node.name}`,
        `Interface = ${node.device}`,
        'Device = /dev/net/tun',
        'DeviceType = tun',
        ...(node === hub ? [] : [`ConnectTo = ${hub?.name ?? ''}`]),
      ];
      await writeFile(path.join(own, 'tinc.conf'), `${lines.join('\n')}\n`);
      const key = path.join(own, 'rsa_key.priv');
      await exec(['openssl', 'genrsa', '-traditional', '-out', key, '2048']);
      const publicKey = await exec(['openssl', 'rsa', '-in', key, '-RSAPublicKey_out']);
      texts.push([
        node.name,
        [
          ...(node.address === undefined ? [] : [`Address = ${node.address}`]),
          ...node.subnets.map((subnet) => `Subnet = ${subnet}`),
          publicKey,
        ].join('\n'),
      ]);
    }
    for (const { name } of nodes)
      for (const [other, text] of texts) await appendFile(path.join(network.#directoryOf(name), 'hosts', other), text);
    return network;
  }

  /** Starts a machine's process, and gives its device its addresses; resolves when it is up. */
  async start(name: string): Promise<void> {
    const node = this.#nodes.find((each) => each.name === name);
    if (node === undefined) throw new Error(`no machine ${name}`);
    const { namespace, device, addresses } = node;
    const started = namespace.spawn([
      'tincd',
      '-D',
      '-d2',
      '-c',
      this.#directoryOf(name),
      `--pidfile=${this.#directoryOf(name)}/pid`,
    ]);
    this.#processes.set(name, started);
    await started.waitFor(/Ready/);
    await namespace.ip(
      `address add ${addresses.v4} dev ${device}`,
      `address add ${addresses.v6} dev ${device}`,
      `link set ${device} up`,
    );
  }

  /** Ends a machine's process, and with it its device. */
  async stop(name: string): Promise<void> {
    await this.#processes.get(name)?.stop();
    this.#processes.delete(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map(({ name }) => this.stop(name)));
  }

  #directoryOf(name: string): string {
    return path.join(this.#directory, `tinc-${name}`);
  }
}
