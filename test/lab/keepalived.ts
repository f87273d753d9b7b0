import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { Namespace } from './namespace.js';
import type { LabProcess } from './process.js';
import { eventually } from './wait.js';

/** A keepalived of its own for one namespace. Disposal stops it, and it gives its addresses back. */
export class Keepalived implements AsyncDisposable {
  readonly #namespace: Namespace;
  readonly #process: LabProcess;

  private constructor(namespace: Namespace, process: LabProcess) {
    this.#namespace = namespace;
    this.#process = process;
  }

  /**
   * Starts it; resolves when it takes part.
   *
   * @param directory where its configuration is written
   */
  static async start(namespace: Namespace, configuration: string, directory: string): Promise<Keepalived> {
    const file = path.join(directory, `keepalived-${namespace.name}`);
    await writeFile(`${file}.conf`, configuration);
    const process = namespace.spawn(
      ['keepalived', '-n', '-l', '-D', '-P', '-f', `${file}.conf`, '-p', `${file}.pid`, '-r', `${file}-vrrp.pid`],
      { name: `keepalived in ${namespace.role}` },
    );
    await process.waitFor(/Entering BACKUP STATE|Entering MASTER STATE/);
    return new Keepalived(namespace, process);
  }

  /** Resolves when the namespace has these addresses, each with its prefix length. */
  async holds(addresses: readonly string[]): Promise<void> {
    await eventually(async () => await holdsNow(this.#namespace, addresses), {
      what: `${this.#namespace.role} holds ${addresses.join(', ')}`,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop();
  }
}

async function holdsNow(namespace: Namespace, addresses: readonly string[]): Promise<boolean> {
  const text = await namespace.run(['ip', '-o', 'address', 'show']);
  return addresses.every((address) => text.includes(` ${address} `));
}
