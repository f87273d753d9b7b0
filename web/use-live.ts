import { useEffect, useState } from 'preact/hooks';

import { EventStream } from '../sidecar/live/event-stream.js';
import { Measure, type Measured } from '../sidecar/live/measure.js';
import { afterMessage, type Look } from '../sidecar/live/message.js';
import { type Happening, happeningsBetween } from './events.js';
import { ask, Refused } from './remote.js';

export interface Live {
  /** The last look; null before the first. */
  readonly measured: Measured | null;
  /** Why there is no newer one; null while they come. */
  readonly fault: string | null;
  /** The server wants a token, or another one. */
  readonly isDenied: boolean;
  /** The latest first. */
  readonly happenings: readonly Happening[];
}

const RETRY_MS = 1000;
/** The sidecar looks every second. */
const SILENCE_MS = 10_000;
const MAX_HAPPENINGS = 200;

/** Follows the sidecar as long as the page is open, over its restarts. @param attempt another value begins again */
export function useLive(attempt: number): Live {
  const [live, setLive] = useState<Live>({ measured: null, fault: null, isDenied: false, happenings: [] });
  useEffect(() => {
    const ending = new AbortController();
    void follow(ending.signal, (change) => setLive(change));
    return () => ending.abort();
  }, [attempt]);
  return live;
}

async function follow(signal: AbortSignal, set: (change: (live: Live) => Live) => void): Promise<void> {
  const measure = new Measure();
  while (!signal.aborted) {
    try {
      await readLooks(signal, (look) => {
        const measured = measure.take(look);
        set((live) => ({
          measured,
          fault: null,
          isDenied: false,
          happenings: [...happeningsBetween(live.measured, measured), ...live.happenings].slice(0, MAX_HAPPENINGS),
        }));
      });
      set((live) => ({ ...live, fault: 'the sidecar has ended' }));
    } catch (error) {
      const isDenied = error instanceof Refused && error.status === 401;
      const fault = error instanceof Refused ? error.message : 'gwmark web does not answer';
      set((live) => ({ ...live, fault, isDenied }));
      // Nothing changes before the user types another.
      if (isDenied) return;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** Resolves when the stream ends. */
async function readLooks(signal: AbortSignal, take: (look: Look) => void): Promise<void> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    const response = await ask('/live', AbortSignal.any([signal, silence.signal]));
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    if (reader === undefined) return;
    const stream = new EventStream();
    let look: Look | null = null;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      // Of several that came together, the last one shows all; each is measured.
      for (const message of stream.take(value)) {
        look = afterMessage(look, message);
        if (look !== null) take(look);
      }
    }
  } finally {
    clearTimeout(timer);
  }
}
