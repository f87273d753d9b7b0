import type { Environment, State } from 'openvpn-management-client';
import type { Transport } from '../../rules/index.js';
import type { TransportHint } from './sockets.js';
import { readBoundSockets, socketInodesOf, transportsOf } from './sockets.js';

/** Finds the sockets that one OpenVPN server serves, with what it told of them so far. */
export class ServerTransports {
  #hint: TransportHint;

  /** @param managementPort where its management interface listens, null when not on TCP */
  constructor(managementPort: number | null) {
    this.#hint = { port: null, protocol: null, managementPort };
  }

  /** Takes a state CONNECTED, which names the port under `--local` alone. */
  noteState({ localPort }: State): void {
    if (localPort !== undefined) this.#hint = { ...this.#hint, port: localPort };
  }

  /** Takes the environment of an event. True when it told something new: look again. */
  noteEnvironment(env: Environment): boolean {
    const port = Number(env.get('local_port_1') ?? env.get('local_port'));
    const text = env.get('proto_1') ?? env.get('proto');
    const protocol = text?.startsWith('tcp') === true ? 'tcp' : 'udp';
    if (!(port > 0) || text === undefined || (port === this.#hint.port && protocol === this.#hint.protocol)) return false;
    this.#hint = { ...this.#hint, port, protocol };
    return true;
  }

  /** Looks at the sockets as they are now. @param pid OpenVPN's process id as it told it, null when unknown */
  async find(pid: number | null): Promise<readonly Transport[]> {
    const inodes = pid === null ? null : await socketInodesOf(pid);
    return transportsOf(await readBoundSockets(), inodes, this.#hint);
  }
}
