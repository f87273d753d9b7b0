import { stdout } from 'node:process';

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
type Style = keyof typeof CODES;

const isColoured = stdout.isTTY && process.env['NO_COLOR'] === undefined;

/** Colours a text on a terminal; anywhere else it stays as it is. */
export function paint(style: Style, text: string): string {
  return isColoured ? `\u001B[${CODES[style]}m${text}\u001B[0m` : text;
}

/** Prints one line of the story. */
export function say(text = ''): void {
  stdout.write(`${text}\n`);
}

/** Prints the headline of a chapter. */
export function chapter(title: string): void {
  say();
  say(paint('bold', `== ${title}`));
}

/** Prints text of a machine, indented. */
export function quote(text: string): void {
  for (const line of text.trimEnd().split('\n')) say(paint('dim', `     ${line.trimEnd()}`));
}

/** Prints a table with aligned columns, indented. */
export function table(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows)
    say(
      `     ${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}`,
    );
}

/** Announces a step that takes a while, runs it, and says how long it took. */
export async function step<T>(what: string, action: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  stdout.write(`  .. ${what}`);
  try {
    const result = await action();
    stdout.write(`: ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
    return result;
  } catch (error) {
    stdout.write(': failed\n');
    throw error;
  }
}

/** What the story claims was seen to be otherwise. */
export class DemoFailure extends Error {
  override readonly name = 'DemoFailure';
}

/** Prints a verified claim, or ends the story with it. @throws DemoFailure when `isTrue` is false. */
export function verify(isTrue: boolean, claim: string): void {
  if (!isTrue) {
    say(`  ${paint('red', 'NOT SO')} ${claim}`);
    throw new DemoFailure(claim);
  }
  say(`  ${paint('green', 'ok')} ${claim}`);
}

/** A demo: where its story takes place, and the story. */
export interface Demo<Lab extends AsyncDisposable> {
  /** What is built, for the reader. */
  readonly scene: string;
  readonly create: () => Promise<Lab>;
  /** @throws DemoFailure for a claim that is not so */
  readonly tell: (lab: Lab) => Promise<void>;
}

/** Runs a demo as a program: builds the lab, tells the story, removes everything. Resolves with the exit code. */
export async function perform<Lab extends AsyncDisposable>({ scene, create, tell }: Demo<Lab>): Promise<number> {
  let lab: Lab | undefined;
  let failure: unknown;
  try {
    lab = await step(`building ${scene}`, create);
    await tell(lab);
  } catch (error) {
    failure = error ?? new Error('unknown');
  }
  const done = lab;
  if (done !== undefined) await step('removing the namespaces', async () => await done[Symbol.asyncDispose]());
  say();
  if (failure === undefined) {
    say(paint('green', 'demo: ok'));
    return 0;
  }
  say(paint('red', `demo: FAILED: ${failure instanceof Error ? failure.message : JSON.stringify(failure)}`));
  return 1;
}
