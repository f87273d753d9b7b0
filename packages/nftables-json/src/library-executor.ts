import type { ElementChange } from './element-change.js';
import { ElementWriter } from './element-writer.js';
import type { ExecutionMode, ExecutionResult, Executor, ExecutorLimits } from './executor.js';
import { openNftContext, type NftContext } from './libnftables.js';
import { openNetlinkSocket } from './netlink-socket.js';
import { NftError } from './nft-error.js';
import type { SetReference } from './nftables.js';

/**
 * libnftables inside this process.
 *
 * One context for all calls. It compares the ruleset's generation number before each use of its cache, so changes by
 * other programs are seen. A call cannot be cut short: after a timeout the caller is told so, and the next call waits
 * for the late one.
 */
export class LibraryExecutor implements Executor {
  readonly kind = 'library';
  /**
   * One lane for all instances of the process: libnftables keeps tables of its own that are not per context (iface.c,
   * datatype.c), and promises nothing about threads.
   */
  static #lane: Promise<unknown> = Promise.resolve();
  /** Calls that are under way or wait, late ones included. */
  static #inLaneNow = 0;
  readonly #context: NftContext;
  readonly #elements: ElementWriter;
  readonly #limits: ExecutorLimits;
  #isFreed = false;

  private constructor(context: NftContext, elements: ElementWriter, limits: ExecutorLimits) {
    this.#context = context;
    this.#elements = elements;
    this.#limits = limits;
  }

  /** @throws NftError UNAVAILABLE with the reason */
  static open(libraryPath: string, limits: ExecutorLimits): Promise<LibraryExecutor> {
    return LibraryExecutor.#inLane(async () => {
      const context = await openNftContext(libraryPath);
      try {
        return new LibraryExecutor(context, new ElementWriter(await openNetlinkSocket()), limits);
      } catch (error) {
        context.free();
        throw error;
      }
    });
  }

  execute(input: string, mode: ExecutionMode): Promise<ExecutionResult> {
    return this.#inTurn(() => this.#call(input, mode));
  }

  /**
   * On the calling thread, because waking another one costs more than the whole change; and, unless libnftables is at
   * work, before this returns.
   */
  applyElements(changes: readonly ElementChange[]): boolean | Promise<boolean> {
    return LibraryExecutor.#inLaneNow === 0
      ? this.#applyNow(changes)
      : this.#inTurn(async () => this.#applyNow(changes));
  }

  hasElements(set: SetReference): boolean | undefined {
    this.#throwIfFreed();
    return this.#elements.hasElements(set);
  }

  generation(): number {
    return this.#elements.generation();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await LibraryExecutor.#inLane(async () => {
      if (!this.#isFreed) {
        this.#isFreed = true;
        this.#context.free();
        this.#elements.close();
      }
    });
  }

  #applyNow(changes: readonly ElementChange[]): boolean {
    this.#throwIfFreed();
    const isApplied = this.#elements.apply(changes);
    if (isApplied) {
      // After the caller of this transaction has its result.
      setImmediate(() => {
        if (!this.#isFreed) {
          this.#elements.prepare();
        }
      });
    }
    return isApplied;
  }

  #throwIfFreed(): void {
    if (this.#isFreed) {
      throw new NftError('UNAVAILABLE', 'libnftables context is closed');
    }
  }

  async #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const deadline = new Deadline(this.#limits.timeoutMs);
    const call = LibraryExecutor.#inLane(async () => {
      deadline.throwIfPassed();
      this.#throwIfFreed();
      return task();
    });
    return deadline.race(call);
  }

  async #call(input: string, mode: ExecutionMode): Promise<ExecutionResult> {
    this.#context.setMode(mode);
    const status = await this.#context.run(input);
    const { output, errors } = this.#context.take();
    if (output.length > this.#limits.maxOutputBytes) {
      throw new NftError(
        'OVERFLOW',
        `listing of ${output.length} bytes is larger than ${this.#limits.maxOutputBytes}`,
      );
    }
    return { ok: status === 0, output, errors };
  }

  static #inLane<T>(task: () => Promise<T>): Promise<T> {
    LibraryExecutor.#inLaneNow += 1;
    const result = LibraryExecutor.#lane.then(task).finally(() => {
      LibraryExecutor.#inLaneNow -= 1;
    });
    LibraryExecutor.#lane = result.catch(() => undefined);
    return result;
  }
}

/** Stops the waiting, not the call. A call whose time is up before its turn is never started. */
class Deadline {
  readonly #timeoutMs: number;
  #hasPassed = false;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  async race<T>(call: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const passed = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        this.#hasPassed = true;
        reject(new NftError('TIMEOUT', `libnftables: no answer within ${this.#timeoutMs} ms, outcome unknown`));
      }, this.#timeoutMs);
    });
    try {
      return await Promise.race([call, passed]);
    } finally {
      clearTimeout(timer);
    }
  }

  throwIfPassed(): void {
    if (this.#hasPassed) {
      throw new NftError('TIMEOUT', 'libnftables: not begun');
    }
  }
}
