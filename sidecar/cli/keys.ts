import { emitKeypressEvents } from 'node:readline';

import type { KeyInput } from './io.js';

/** A key as Node's readline tells it apart, whatever the terminal sends for it. */
export interface Key {
  /** `up`, `pagedown`, `tab`, `return`, `escape`, `backspace`, or the letter. */
  readonly name: string;
  readonly isCtrl: boolean;
  /** What it types; empty if nothing. */
  readonly text: string;
}

/** Calls the listener for each key, until disposed of. */
export function onKeys(input: KeyInput, listener: (key: Key) => void): Disposable {
  emitKeypressEvents(input);
  const take = (text: string | undefined, key: { readonly name?: string; readonly ctrl?: boolean }): void => {
    const isPrintable = text !== undefined && key.ctrl !== true && /^\P{Cc}+$/u.test(text);
    listener({ name: key.name ?? text ?? '', isCtrl: key.ctrl === true, text: isPrintable ? text : '' });
  };
  input.on('keypress', take);
  input.resume();
  return {
    [Symbol.dispose]: () => {
      input.off('keypress', take);
      input.pause();
    },
  };
}
