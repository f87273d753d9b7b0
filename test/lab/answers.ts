import { fileURLToPath } from 'node:url';

import type { LabProcess } from './process.js';
import type { Party } from './traffic.js';
import { eventually } from './wait.js';

const PEER = fileURLToPath(new URL('./peers/answers.js', import.meta.url));

/** How many, and how fast. */
export interface AnswersOptions {
  /** Each from a port of its own. Default 1. */
  readonly flows?: number;
  /** Between two answers, milliseconds; twenty at once where there are many flows. Default 10. */
  readonly intervalMs?: number;
}

/**
 * UDP flows that begin with one question and have answers alone from then on: their router is silent, as far as the
 * flows go. Disposal ends them.
 */
export class Answers implements AsyncDisposable {
  readonly #answerer: LabProcess;
  readonly #asker: LabProcess;

  private constructor(answerer: LabProcess, asker: LabProcess) {
    this.#answerer = answerer;
    this.#asker = asker;
  }

  /** Lets `client` ask `server`; resolves when answers come, of each flow. */
  static async start(
    client: Party,
    server: Party,
    port: number,
    { flows = 1, intervalMs = 10 }: AnswersOptions = {},
  ): Promise<Answers> {
    const answerer = server.namespace.spawn(
      [process.execPath, PEER, 'answer', server.address, String(port), String(intervalMs)],
      { name: `answers of ${server.namespace.role}` },
    );
    await answerer.waitFor(/^ready$/);
    const asker = client.namespace.spawn(
      [process.execPath, PEER, 'ask', server.address, String(port), client.address, String(flows)],
      { name: `question of ${client.namespace.role}` },
    );
    const answers = new Answers(answerer, asker);
    await asker.waitFor(/^all$/, { timeoutMs: 60_000 });
    await answers.arrive(10);
    return answers;
  }

  /** Resolves once that many more answers arrived. */
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
