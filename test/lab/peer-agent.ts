import { fileURLToPath } from 'node:url';

import type { Namespace } from './namespace.js';
import type { PeerOptions, PeerRequest } from './peers/options.js';
import type { LabProcess } from './process.js';

/** What an agent answered: `error` if it could not do it; of an exchange what came back, and how soon. */
export interface PeerAnswer {
  readonly error?: string;
  readonly bytes?: number;
  readonly elapsedMs?: number;
}

const agents = new WeakMap<Namespace, PeerAgent>();

/** The program that serves one namespace with echo servers and exchanges; it ends with the namespace. */
export class PeerAgent {
  readonly #process: LabProcess;
  #lastId = 0;

  private constructor(namespace: Namespace) {
    const script = fileURLToPath(new URL('./peers/agent.js', import.meta.url));
    this.#process = namespace.spawn([process.execPath, script], { name: `peers in ${namespace.role}`, stdin: 'pipe' });
  }

  /** The agent of a namespace, started when it is first asked for. */
  static of(namespace: Namespace): PeerAgent {
    const known = agents.get(namespace);
    if (known !== undefined && known.#process.exitStatus === undefined) return known;
    const agent = new PeerAgent(namespace);
    agents.set(namespace, agent);
    return agent;
  }

  /**
   * Starts an echo server. Resolves once it listens, with its number for {@link close}.
   *
   * @throws Error when it cannot
   */
  async listen(options: PeerOptions): Promise<number> {
    const id = this.#next();
    const { error } = await this.#ask({ id, kind: 'listen', options });
    if (error !== undefined)
      throw new Error(`${options.protocol} echo server at ${options.address} port ${options.port}: ${error}`);
    return id;
  }

  /** Ends an echo server; nothing happens where its namespace is gone. */
  async close(listening: number): Promise<void> {
    if (this.#process.exitStatus === undefined) await this.#ask({ id: this.#next(), kind: 'close', listening });
  }

  /** One exchange with an echo server; `options.timeoutMs` bounds it. */
  async exchange(options: PeerOptions): Promise<PeerAnswer> {
    return await this.#ask({ id: this.#next(), kind: 'exchange', options });
  }

  #next(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  async #ask(request: PeerRequest): Promise<PeerAnswer> {
    const from = this.#process.lines.length;
    this.#process.write(`${JSON.stringify(request)}\n`);
    const bound = request.kind === 'exchange' ? (request.options.timeoutMs ?? 0) : 0;
    const [line] = await this.#process.waitFor(new RegExp(String.raw`^\{"id":${request.id}[,}].*$`), {
      from,
      timeoutMs: 15_000 + bound,
    });
    // Printed by peers/agent.ts.
    return JSON.parse(line) as PeerAnswer;
  }
}
