/** A stream that text goes to; `isTTY`, `columns` and `rows` as in Node. */
export type TextOutput = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

/** Where keys come from; as in Node. */
export type KeyInput = NodeJS.ReadableStream & {
  readonly isTTY?: boolean;
  setRawMode?(isRaw: boolean): unknown;
  /** Lets the process end while keys may still come. */
  unref?(): unknown;
};

/** The signals that commands listen for. */
export type HandledSignal = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGQUIT' | 'SIGTSTP' | 'SIGCONT';

/** Everything of the process that the command line touches. `main.ts` gives the real one, tests their own. */
export interface CliIo {
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly workingDirectory: string;
  /** Replaces /etc/gwmark/gwmark.yaml in tests. */
  readonly defaultConfigFile?: string;
  /** Milliseconds since 1970. */
  now(): number;
  /** The text of /proc/self/status; undefined if it cannot be read. */
  readProcStatus(): Promise<string | undefined>;
  /** Calls the listener at each such signal until disposed of. */
  onSignal(signal: HandledSignal, listener: () => void): Disposable;
  /** Standard input, opened by the first call. */
  stdin(): KeyInput;
  /** Calls the listener when the process ends, whatever ends it but SIGKILL, until disposed of. It must not wait. */
  onExit(listener: () => void): Disposable;
  /** Stops the process until SIGCONT, as the key ^Z does. */
  suspend(): void;
  /** Ends the process at once. */
  exitNow(code: number): void;
}

/** Colours only on terminals, and unless NO_COLOR is set. @see https://no-color.org */
export function hasColours(output: TextOutput, env: CliIo['env']): boolean {
  const isRefused = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  return output.isTTY === true && !isRefused;
}
