import { existsSync } from 'node:fs';

import type { Namespace } from './namespace.js';
import type { LabProcess } from './process.js';
import { eventually } from './wait.js';

/** Plays the service manager: a datagram socket whose lines are kept. Disposal ends it. */
export class NotifyReceiver implements AsyncDisposable {
  /** The value of NOTIFY_SOCKET. */
  readonly name: string;
  readonly #process: LabProcess;

  private constructor(name: string, process: LabProcess) {
    this.name = name;
    this.#process = process;
  }

  /**
   * Opens `name`, an absolute path or `@` and a name, which is one of the namespace; resolves once it can be written
   * to.
   */
  static async open(namespace: Namespace, name: string): Promise<NotifyReceiver> {
    const address = name.startsWith('@') ? `ABSTRACT-RECV:${name.slice(1)}` : `UNIX-RECV:${name}`;
    const process = namespace.spawn(['socat', '-u', address, 'STDOUT'], { name: `socat ${address}` });
    const isOpen = async (): Promise<boolean> =>
      name.startsWith('@') ? (await namespace.run(['cat', '/proc/net/unix'])).includes(name) : existsSync(name);
    await eventually(isOpen, { what: `a program listens on ${name}` });
    return new NotifyReceiver(name, process);
  }

  /** Every line so far. */
  get lines(): readonly string[] {
    return this.#process.lines;
  }

  /** Resolves with the first line at index `from` or later that matches. */
  async waitFor(pattern: RegExp, from = 0): Promise<RegExpMatchArray> {
    return await this.#process.waitFor(pattern, { from });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop();
  }
}
