import {
  type ArgumentDescription,
  type CommandDescription,
  firstSentence,
  type OptionDescription,
  type ProgramDescription,
  type ValueKind,
} from './command-description.js';

/**
 * A function for zsh's completion system: for a file `_gwmark` in `$fpath`, or to be sourced after `compinit`. Pure.
 *
 * @see zshcompsys(1), `_arguments` and `_describe`
 */
export function zshCompletion(program: ProgramDescription): string {
  return `#compdef gwmark
# Completion of gwmark for zsh, made by "gwmark completion zsh".

_gwmark_commands() {
  local -a commands=(
${program.commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}\n`).join('')}  )
  _describe -t commands 'command' commands
}

_gwmark_devices() {
  local -a devices=(/sys/class/net/*(N:t))
  _describe -t devices 'device' devices
}

_gwmark() {
  local curcontext=$curcontext state line
  local -A opt_args
  _arguments -C \\
${program.options.map((option) => `    ${optionSpec(option)} \\\n`).join('')}    '1:command:_gwmark_commands' \\
    '*::argument:->argument'
  [[ $state == argument ]] || return
  case $words[1] in
${program.commands.map(commandCase).join('')}  esac
}

if [[ $funcstack[1] == _gwmark ]]; then
  _gwmark "$@"
else
  compdef _gwmark gwmark
fi
`;
}

function commandCase({ name, options, arguments: wanted }: CommandDescription): string {
  const specs = [...options.map(optionSpec), ...wanted.map((argument, index) => argumentSpec(argument, index + 1))];
  return `    ${name})\n      _arguments \\\n${specs.map((spec) => `        ${spec}`).join(' \\\n')}\n      ;;\n`;
}

function optionSpec({ short, long, value, text, placeholder }: OptionDescription): string {
  const description = `[${firstSentence(text).replaceAll(/[[\]\\]/g, String.raw`\$&`)}]`;
  const message = escapeColons(placeholder.replaceAll('|', ' or '));
  const isOptional = value.kind === 'choice' && value.isOptional;
  const suffix = value.kind === 'none' ? '' : `${isOptional ? '::' : ':'}${message}:${actionOf(value)}`;
  // An option may be repeated where a list is: never hidden, the program says what it expects.
  const flag = value.kind === 'none' ? long : `${long}${isOptional ? '=-' : '='}`;
  if (short === null) return quoted(`*${flag}${description}${suffix}`);
  const shortFlag = value.kind === 'none' ? short : `${short}+`;
  return `${quoted(`*${shortFlag}${description}${suffix}`)} ${quoted(`*${flag}${description}${suffix}`)}`;
}

function argumentSpec({ name, text, isRequired, value }: ArgumentDescription, number: number): string {
  const message = escapeColons(text === '' ? name : text);
  return quoted(`${number}${isRequired ? ':' : '::'}${message}:${actionOf(value)}`);
}

function actionOf(value: ValueKind): string {
  switch (value.kind) {
    case 'choice':
      return `(${value.of.join(' ')})`;
    case 'command':
      return '_gwmark_commands';
    case 'device':
      return '_gwmark_devices';
    case 'file':
      return '_files';
    default:
      return '()';
  }
}

function escapeColons(text: string): string {
  return text.replaceAll(':', String.raw`\:`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
