import type { CliIo } from './io.js';
import type { Key } from './keys.js';
import { Ending } from './live-status.js';
import { Screen } from './screen.js';
import { cutLine } from './table.js';

export { followLive } from './live-status.js';

/** What `--watch` shows until the next one. */
export interface Frame {
  /** Lines. */
  readonly text: string;
  /** A frame that is printed after another one has another key: ages alone are no reason to print all again. */
  readonly key: string;
  /** Something that went wrong, below the lines or on standard error; null if nothing did. */
  readonly fault: string | null;
}

/**
 * Shows frames as they come, until the user or a signal ends it: on a terminal each in the place of the last one, elsewhere
 * one after another, each that differs.
 *
 * @param frames what to show, until their signal is aborted
 */
export async function watchFrames(
  io: CliIo,
  asJson: boolean,
  frames: (signal: AbortSignal) => AsyncIterable<Frame>,
): Promise<void> {
  using ending = new Ending(io);
  if (asJson || io.stdout.isTTY !== true) return await print(io, frames(ending.signal));

  let frame: Frame | null = null;
  const show = (): void => {
    if (frame !== null) screen.draw(linesOf(frame, screen));
  };
  using screen = new Screen(io, { onChanged: show, onKey: (key) => void takeKey(key, ending, screen) });
  for await (frame of frames(ending.signal)) show();
}

/** The keys of every command that takes the whole terminal. False: it is none of them. */
export function takeKey({ name, isCtrl }: Key, ending: AbortController, screen: Screen): boolean {
  if (isCtrl ? name === 'c' || name === '\\' : name === 'q') ending.abort();
  else if (isCtrl && name === 'z') screen.suspend();
  else if (isCtrl && name === 'l') screen.redraw();
  else return false;
  return true;
}

async function print({ stdout, stderr }: CliIo, frames: AsyncIterable<Frame>): Promise<void> {
  let last: Frame = { text: '', key: '', fault: null };
  for await (const frame of frames) {
    if (frame.fault !== null && frame.fault !== last.fault) stderr.write(`gwmark: ${frame.fault}\n`);
    if (frame.key !== last.key) {
      const text = last.text === '' ? frame.text : `\n${frame.text}`;
      // A reader that closes early (`head`) ends it.
      if (!(await new Promise<boolean>((resolve) => stdout.write(text, (error) => resolve(error == null))))) return;
    }
    last = frame;
  }
}

function linesOf({ text, fault }: Frame, { rows, columns }: Screen): readonly string[] {
  const lines = text.trimEnd().split('\n');
  const room = rows - 1;
  const hidden = lines.length - room;
  const shown = hidden > 0 ? lines.slice(0, room) : [...lines, ...Array<string>(room - lines.length).fill('')];
  const note = fault ?? (hidden > 0 ? `${hidden} more lines` : '');
  return [...shown, `${note}${note === '' ? '' : '; '}q quits`].map((line) => cutLine(line, columns));
}
