import { setTimeout as pause } from 'node:timers/promises';

import { followStatus } from '../control/follow.js';
import { GwmarkError } from '../errors.js';
import type { Look } from '../live/message.js';
import type { CliIo } from './io.js';

/** What a command that stays shows next. */
export type Live =
  | { readonly kind: 'look'; readonly look: Look }
  /** The sidecar does not answer; it is asked again. */
  | { readonly kind: 'lost'; readonly reason: string };

const RETRY_MS = 1000;

/**
 * Follows a sidecar over its restarts, until the signal is aborted.
 *
 * @throws GwmarkError if there is none at the beginning
 */
export async function* followLive(path: string, signal: AbortSignal): AsyncGenerator<Live, void> {
  let hasBegun = false;
  while (!signal.aborted) {
    try {
      for await (const look of followStatus(path, { signal })) {
        hasBegun = true;
        yield { kind: 'look', look };
      }
      return;
    } catch (error) {
      if (!hasBegun || !(error instanceof GwmarkError)) throw error;
      yield { kind: 'lost', reason: error.message };
    }
    await pause(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Aborted by the signals that end a command that stays; the listeners go with the owner. */
export class Ending extends AbortController implements Disposable {
  readonly #listeners: readonly Disposable[];

  constructor(io: CliIo) {
    super();
    this.#listeners = (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const).map((signal) =>
      io.onSignal(signal, () => this.abort()),
    );
  }

  [Symbol.dispose](): void {
    this.abort();
    for (const listener of this.#listeners) listener[Symbol.dispose]();
  }
}
