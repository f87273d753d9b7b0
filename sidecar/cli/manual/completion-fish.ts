import {
  type CommandDescription,
  firstSentence,
  type ProgramDescription,
  type ValueKind,
} from './command-description.js';

/**
 * A script for fish 3 or later: for a file `gwmark.fish` in its directory of completions, or to be sourced. Pure.
 *
 * @see complete(1) of fish
 */
export function fishCompletion(program: ProgramDescription): string {
  return `# Completion of gwmark for fish, made by "gwmark completion fish".

# Whether the command line has this command, and as many arguments before the one that is typed.
function __gwmark_argument -a command number
    set -l words (commandline -opc)
    set -e words[1]
    set -l arguments (string match -v -- '-*' $words)
    test "$arguments[1]" = $command; and test (count $arguments) -eq $number
end

function __gwmark_devices
    for device in /sys/class/net/*
        string replace -r '.*/' '' -- $device
    end
end

complete -c gwmark -f
${program.options.map((option) => optionLine('__fish_use_subcommand', option, program)).join('')}${program.commands
    .map(({ name, summary }) => `complete -c gwmark -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}\n`)
    .join('')}${program.commands.map((command) => commandLines(command, program)).join('')}`;
}

function commandLines({ name, options, arguments: wanted }: CommandDescription, program: ProgramDescription): string {
  const lines = options.map((option) => optionLine(`'__fish_seen_subcommand_from ${name}'`, option, program));
  const more = wanted.flatMap(({ value }, index) => {
    const values = valuesOf(value, program);
    return values === '' ? [] : [`complete -c gwmark -n '__gwmark_argument ${name} ${index + 1}' ${values}\n`];
  });
  return `\n# gwmark ${name}\n${[...lines, ...more].join('')}`;
}

function optionLine(
  condition: string,
  { short, long, value, text }: CommandDescription['options'][number],
  program: ProgramDescription,
): string {
  const flags = `${short === null ? '' : ` -s ${short.slice(1)}`} -l ${long.slice(2)}`;
  const values = valuesOf(value, program);
  const isRequired = value.kind !== 'none' && !(value.kind === 'choice' && value.isOptional);
  return `complete -c gwmark -n ${condition}${flags}${isRequired ? ' -r' : ''}${values === '' ? '' : ` ${values}`} -d ${quoted(firstSentence(text))}\n`;
}

function valuesOf(value: ValueKind, program: ProgramDescription): string {
  switch (value.kind) {
    case 'choice':
      return `-a ${quoted(value.of.join(' '))}`;
    case 'command':
      return `-a ${quoted(program.commands.map(({ name }) => name).join(' '))}`;
    case 'device':
      return "-a '(__gwmark_devices)'";
    case 'file':
      return '-F';
    default:
      return '';
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`;
}
