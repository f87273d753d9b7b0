import { parseArgs, type ParseArgsConfig } from 'node:util';

/** What is wrong with a command line, in one sentence that says what was expected. */
export interface Mistake {
  readonly kind: 'mistake';
  readonly message: string;
}

/** What a command line asks for. */
export type Parsed<Options> =
  | Mistake
  | { readonly kind: 'options'; readonly options: Options }
  | { readonly kind: 'help' };

type OptionsConfig = NonNullable<ParseArgsConfig['options']>;
type Values<Config extends OptionsConfig> = ReturnType<
  typeof parseArgs<{ args: string[]; options: Config }>
>['values'];

/** A benchmark as a program. */
export interface Command<Options> {
  readonly help: string;
  readonly parse: (args: readonly string[]) => Parsed<Options>;
  /** Measures and prints; resolves with the exit code. */
  readonly run: (options: Options) => Promise<number>;
}

/** Runs it with the arguments of a command line; resolves with the exit code, which is 2 for a mistake. */
export async function runCommand<Options>(
  { help, parse, run }: Command<Options>,
  args: readonly string[],
): Promise<number> {
  const parsed = parse(args);
  switch (parsed.kind) {
    case 'help':
      process.stdout.write(help);
      return 0;
    case 'mistake':
      process.stderr.write(`bench: ${parsed.message}\n`);
      return 2;
    case 'options':
      return await run(parsed.options);
    default:
      return parsed satisfies never;
  }
}

/** The values of a command line that has these options. */
export function parseValues<Config extends OptionsConfig>(
  args: readonly string[],
  options: Config,
): Mistake | { readonly kind: 'values'; readonly values: Values<Config> } {
  try {
    return { kind: 'values', values: parseArgs({ args: [...args], options }).values };
  } catch (error) {
    // parseArgs names the wrong argument in its first sentence.
    return { kind: 'mistake', message: `${(error as Error).message.split('. ')[0]}; see --help` };
  }
}

/** Those of `known` that `wanted` names, in their own order; all for none. */
export function select<Name extends string>(
  option: string,
  known: readonly Name[],
  wanted: readonly string[],
): Mistake | { readonly kind: 'names'; readonly names: readonly Name[] } {
  const unknown = wanted.find((name) => !known.some((other) => other === name));
  if (unknown !== undefined)
    return { kind: 'mistake', message: `${option} ${unknown}: expected one of ${known.join(', ')}` };
  return { kind: 'names', names: known.filter((name) => wanted.length === 0 || wanted.includes(name)) };
}
