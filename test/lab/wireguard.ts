import { rm } from 'node:fs/promises';

import type { Namespace } from './namespace.js';
import { exec, type LabProcess } from './process.js';
import type { AddressPair } from './topology.js';
import { eventually } from './wait.js';

/** How an interface is made. */
export interface WireguardOptions {
  readonly namespace: Namespace;
  /** wireguard-go listens at a socket of this name, which all namespaces share: see {@link wireguardName}. */
  readonly device: string;
  /** Each with a prefix length. */
  readonly addresses: AddressPair;
  /** Default: the kernel chooses one. */
  readonly port?: number;
}

const IS_KERNELS = process.env['LAB_WIREGUARD'] === 'kernel';

/** A name for an interface of this process: no other process has it. */
export function wireguardName(suffix: string): string {
  return `wg${process.pid}${suffix}`;
}

/**
 * A WireGuard interface of wireguard-go, over tun: no kernel needs to have WireGuard. With `LAB_WIREGUARD=kernel` it is
 * the kernel's own.
 */
export class Wireguard implements AsyncDisposable {
  readonly options: WireguardOptions;
  readonly publicKey: string;
  readonly #privateKey: string;
  #process: LabProcess | undefined;

  private constructor(options: WireguardOptions, privateKey: string, publicKey: string) {
    this.options = options;
    this.#privateKey = privateKey;
    this.publicKey = publicKey;
  }

  /** Makes an interface with a key of its own, and brings it up. */
  static async start(options: WireguardOptions): Promise<Wireguard> {
    const privateKey = (await exec(['wg', 'genkey'])).trim();
    const publicKey = (await exec(['wg', 'pubkey'], { input: `${privateKey}\n` })).trim();
    const wireguard = new Wireguard(options, privateKey, publicKey);
    await wireguard.start();
    return wireguard;
  }

  /** Makes the interface, also once more after {@link stop}: with its key and its port, and no peer. */
  async start(): Promise<void> {
    const { namespace, device, addresses, port } = this.options;
    if (IS_KERNELS) {
      await namespace.ip(`link add ${device} type wireguard`);
    } else {
      this.#process = namespace.spawn(['wireguard-go', '-f', device]);
      await eventually(async () => (await namespace.tryRun(['wg', 'show', device])).code === 0, {
        what: `wireguard-go serves ${device}`,
      });
    }
    await namespace.run(
      // Standard input of a child is a socket, which cannot be opened by its name; and not every machine has /dev/stdin.
      [
        'sh',
        '-c',
        'cat | wg set "$@"',
        'sh',
        device,
        'private-key',
        '/proc/self/fd/0',
        ...(port === undefined ? [] : ['listen-port', String(port)]),
      ],
      { input: `${this.#privateKey}\n` },
    );
    await namespace.ip(
      `address add ${addresses.v4} dev ${device}`,
      `address add ${addresses.v6} dev ${device}`,
      `link set ${device} up`,
    );
  }

  /** Adds or changes a peer; the words are those of `wg set DEVICE peer KEY`. */
  async peer(publicKey: string, ...words: readonly string[]): Promise<void> {
    await this.options.namespace.run(['wg', 'set', this.options.device, 'peer', publicKey, ...words]);
  }

  /** Ends the program, and with it the interface. Idempotent. */
  async stop(): Promise<void> {
    if (IS_KERNELS) await this.options.namespace.tryRun(['ip', 'link', 'del', this.options.device]);
    await this.#process?.stop();
    this.#process = undefined;
    await rm(`/var/run/wireguard/${this.options.device}.sock`, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
