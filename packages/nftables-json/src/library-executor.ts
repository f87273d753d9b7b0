import type { ExecutionMode, ExecutionResult, Executor, ExecutorLimits } from './executor.js';
import { openGenerationReader, type GenerationReader } from './generation.js';
import { openNftContext, type NftContext } from './libnftables.js';
import { NftError } from './nft-error.js';

/**
 * libnftables inside this process.
 *
 * One context for all calls. It compares the ruleset's generation number before each use of its cache, so changes by other programs are
 * seen. A call cannot be cut short: after a timeout the caller is told so, and the next call waits for the late one.
 */
export class LibraryExecutor implements Executor {
  readonly kind = 'library';
  readonly #context: NftContext;
  readonly #generation: GenerationReader;
  readonly #limits: ExecutorLimits;
  #idle: Promise<unknown> = Promise.resolve();
  #isFreed = false;

  private constructor(context: NftContext, generation: GenerationReader, limits: ExecutorLimits) {
    this.#context = context;
    this.#generation = generation;
    this.#limits = limits;
  }

  /** @throws NftError UNAVAILABLE with the reason */
  static async open(libraryPath: string, limits: ExecutorLimits): Promise<LibraryExecutor> {
    const context = await openNftContext(libraryPath);
    try {
      return new LibraryExecutor(context, await openGenerationReader(), limits);
    } catch (error) {
      context.free();
      throw error;
    }
  }

  async execute(input: string, mode: ExecutionMode): Promise<ExecutionResult> {
    const call = this.#idle.then(() => this.#call(input, mode));
    this.#idle = call.catch(() => undefined);
    return withDeadline(call, this.#limits.timeoutMs);
  }

  async #call(input: string, mode: ExecutionMode): Promise<ExecutionResult> {
    if (this.#isFreed) {
      throw new NftError('UNAVAILABLE', 'libnftables context is closed');
    }
    this.#context.setMode(mode);
    const status = await this.#context.run(input);
    const { output, errors } = this.#context.take();
    if (output.length > this.#limits.maxOutputBytes) {
      throw new NftError('OVERFLOW', `listing of ${output.length} bytes is larger than ${this.#limits.maxOutputBytes}`);
    }
    return { ok: status === 0, output, errors };
  }

  generation(): number {
    return this.#generation.read();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#idle;
    if (!this.#isFreed) {
      this.#isFreed = true;
      this.#context.free();
      this.#generation.close();
    }
  }
}

async function withDeadline<T>(call: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new NftError('TIMEOUT', `libnftables: no answer within ${timeoutMs} ms, outcome unknown`));
    }, timeoutMs);
  });
  try {
    return await Promise.race([call, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
