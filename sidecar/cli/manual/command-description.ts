import type { Argument, Command, Option } from 'commander';

/** What may follow an option, or take the place of an argument. */
export type ValueKind =
  /** An option without a value. */
  | { readonly kind: 'none' }
  /** One of these words; `isOptional`: or nothing, which means the first. */
  | { readonly kind: 'choice'; readonly of: readonly string[]; readonly isOptional: boolean }
  /** The path of a file or a directory. */
  | { readonly kind: 'file' }
  /** The name of a network device. */
  | { readonly kind: 'device' }
  /** The name of a command. */
  | { readonly kind: 'command' }
  | { readonly kind: 'text' };

export interface OptionDescription {
  /** With the dash: `-c`. */
  readonly short: string | null;
  /** With the dashes: `--config`. */
  readonly long: string;
  /** As `--help` prints it behind the flag, without brackets: `file`, `none|accept`; empty if it has no value. */
  readonly placeholder: string;
  readonly value: ValueKind;
  /** All that `--help` says about it. */
  readonly text: string;
  /** `--help` shows it only with `--all`. */
  readonly isHidden: boolean;
}

export interface ArgumentDescription {
  readonly name: string;
  readonly text: string;
  readonly isRequired: boolean;
  readonly value: ValueKind;
}

/** A block below the options of `--help`: `Examples:`, `Exit codes:`. */
export interface HelpSection {
  readonly title: string;
  /** Without the indent. */
  readonly lines: readonly string[];
}

/** One command, as its `--help` describes it. */
export interface CommandDescription {
  readonly name: string;
  readonly summary: string;
  /** Paragraphs, separated by line ends. */
  readonly text: string;
  readonly arguments: readonly ArgumentDescription[];
  /** `--help` included. */
  readonly options: readonly OptionDescription[];
  readonly sections: readonly HelpSection[];
}

/** All of `gwmark`: what it says about itself, then its commands in the order of `--help`. */
export interface ProgramDescription extends CommandDescription {
  readonly commands: readonly CommandDescription[];
}

const HELP: OptionDescription = {
  short: '-h',
  long: '--help',
  placeholder: '',
  value: { kind: 'none' },
  text: 'display help for command',
  isHidden: false,
};

/**
 * Reads what commander knows of the program: the tables from which it prints `--help` too, so that completion and
 * manual pages never say anything else.
 */
export function describeProgram(program: Command): ProgramDescription {
  return { ...describe(program), commands: program.createHelp().visibleCommands(program).map(describe) };
}

/** The first sentence, without what is in brackets and the full stop. */
export function firstSentence(text: string): string {
  return (text.split(/(?<=\.)\s| \[(?:default|env):/, 1)[0] ?? '').replace(/\.$/, '');
}

function describe(command: Command): CommandDescription {
  return {
    name: command.name(),
    summary: command.summary(),
    text: command.description(),
    arguments: command.registeredArguments.map(describeArgument),
    options: [...command.options.map(describeOption), HELP],
    sections: sectionsOf(command),
  };
}

function describeArgument(argument: Argument): ArgumentDescription {
  const name = argument.name();
  return {
    name,
    text: argument.description,
    isRequired: argument.required,
    value:
      argument.argChoices !== undefined
        ? { kind: 'choice', of: argument.argChoices, isOptional: false }
        : name === 'DEVICE'
          ? { kind: 'device' }
          : name === 'command'
            ? { kind: 'command' }
            : { kind: 'text' },
  };
}

function describeOption(option: Option): OptionDescription {
  const placeholder = /[<[](.*)[>\]]$/.exec(option.flags)?.[1] ?? '';
  return {
    short: option.short ?? null,
    long: option.long ?? '',
    placeholder: option.argChoices?.join('|') ?? placeholder,
    value: valueOf(option, placeholder),
    text: option.description,
    isHidden: option.hidden,
  };
}

function valueOf(option: Option, placeholder: string): ValueKind {
  if (option.argChoices !== undefined) return { kind: 'choice', of: option.argChoices, isOptional: option.optional };
  if (placeholder === '') return { kind: 'none' };
  if (placeholder === 'boolean') return { kind: 'choice', of: ['true', 'false'], isOptional: option.optional };
  if (placeholder === 'file' || placeholder === 'path') return { kind: 'file' };
  if (option.long === '--devices') return { kind: 'device' };
  return /^[a-z]+(\|[a-z]+)+$/.test(placeholder)
    ? { kind: 'choice', of: placeholder.split('|'), isOptional: option.optional }
    : { kind: 'text' };
}

/** What was added below the options; commander prints it, and keeps it nowhere else. */
function sectionsOf(command: Command): readonly HelpSection[] {
  let whole = '';
  const output = command.configureOutput();
  command.configureOutput({ ...output, writeOut: (text) => void (whole += text) });
  command.outputHelp();
  command.configureOutput(output);
  return whole
    .slice(command.helpInformation().length)
    .split(/\n(?=\S.*:\n)/)
    .flatMap((block) => {
      const [title = '', ...lines] = block.trim().split('\n');
      return title === '' ? [] : [{ title: title.replace(/:$/, ''), lines: lines.map((line) => line.trim()) }];
    });
}
