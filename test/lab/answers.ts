import { fileURLToPath } from 'node:url';

import type { LabProcess } from './process.js';
import type { Party } from './traffic.js';
import { eventually } from './wait.js';

const PEER = fileURLToPath(new URL('./peers/answers.js', import.meta.url));

/**
 * A UDP flow that begins with one question and has answers alone from then on: its router is silent, as far as the
 * flow goes. Disposal ends it.
 */
export class Answers implements AsyncDisposable {
  readonly #answerer: LabProcess;
  readonly #asker: LabProcess;

  private constructor(answerer: LabProcess, asker: LabProcess) {
    this.#answerer = answerer;
    this.#asker = asker;
  }

  /** Lets `client` ask `server` once; resolves when answers come. */
  static async start(client: Party, server: Party, port: number): Promise<Answers> {
    const answerer = server.namespace.spawn([process.execPath, PEER, 'answer', server.address, String(port)], {
      name: `answers of ${server.namespace.role}`,
    });
    await answerer.waitFor(/^ready$/);
    const asker = client.namespace.spawn(
      [process.execPath, PEER, 'ask', server.address, String(port), client.address],
      { name: `question of ${client.namespace.role}` },
    );
    const answers = new Answers(answerer, asker);
    await answers.arrive(10);
    return answers;
  }

  /** Resolves once that many more answers arrived, about ten milliseconds each. */
  async arrive(count: number, timeoutMs = 10_000): Promise<void> {
    const goal = this.#count + count;
    await eventually(() => this.#count >= goal, { what: `${count} more answers of the flow`, timeoutMs });
  }

  get #count(): number {
    return Number(
      /^count (\d+)$/.exec(this.#asker.lines.findLast((line) => line.startsWith('count ')) ?? '')?.[1] ?? 0,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#asker.stop(), this.#answerer.stop()]);
  }
}
