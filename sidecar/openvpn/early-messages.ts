import type { Notification, Origin } from 'openvpn-management-client';
import { isRestart } from './openvpn-state.js';

/** A message and its place in the stream. */
export interface EarlyMessage {
  readonly message: Notification;
  readonly origin: Origin;
}

/**
 * Messages of a connection that is still being prepared. They are taken after it, when it is known what was before
 * them.
 */
export class EarlyMessages {
  /** Null after the preparation. */
  #held: EarlyMessage[] | null = [];

  /** A connection is being prepared, or there is no connection. */
  get isHolding(): boolean {
    return this.#held !== null;
  }

  /** Holds from now on; what is held since the banner stays. */
  hold(): void {
    this.#held ??= [];
  }

  /** The connection is lost, and with it what is held; the messages of the next are held. */
  reset(): void {
    this.#held = [];
  }

  /** Keeps a message for later. @returns false if nothing is held any more: process it immediately */
  keep(message: Notification, origin: Origin): boolean {
    this.#held?.push({ message, origin });
    return this.#held !== null;
  }

  /**
   * The history of states was read, which tells everything up to `sequence`: a state in it does not count a second
   * time, and of what came before a restart in it nothing is true any more.
   */
  dropTold(sequence: number): void {
    const held = this.#held ?? [];
    const isTold = ({ message, origin }: EarlyMessage): boolean =>
      message.kind === 'state' && origin.sequence <= sequence;
    const restart = held.findLastIndex(
      (item) => isTold(item) && item.message.kind === 'state' && isRestart(item.message.name),
    );
    this.#held = held.slice(restart + 1).filter((item) => !isTold(item));
  }

  /** What is held up to this place in the stream, in order; the rest, and what comes, is held on. */
  takeUpTo(sequence: number): readonly EarlyMessage[] {
    const held = this.#held ?? [];
    const later = held.findIndex(({ origin }) => origin.sequence > sequence);
    return held.splice(0, later === -1 ? held.length : later);
  }

  /** What was held, in order; messages are taken as they come from now on. */
  release(): readonly EarlyMessage[] {
    const held = this.#held ?? [];
    this.#held = null;
    return held;
  }
}
