import type { CommandDescription, ProgramDescription, ValueKind } from './command-description.js';

/**
 * A script for bash 4 or later, which needs nothing else: no package `bash-completion`, and no start of gwmark. Pure.
 *
 * @see bash(1), "Programmable Completion": bash splits `--flag=value` and `unix:/path` at `=` and `:`
 */
export function bashCompletion(program: ProgramDescription): string {
  return `# Completion of gwmark for bash, made by "gwmark completion bash".

# The options of a command in flags, those that take a value in takes.
_gwmark_options() {
  flags='${words(program)}' takes=''
  case $1 in
${program.commands.map((command) => `    ${command.name}) flags='${words(command)}' takes='${taking(command)}' ;;\n`).join('')}  esac
}

# What may be the value of an option, or an argument: $1 is "COMMAND OPTION" or "COMMAND NUMBER".
_gwmark_value() {
  case $1 in
${valueCases(program)}  esac
}

_gwmark() {
  local cur=\${COMP_WORDS[COMP_CWORD]} command='' option='' number=1 flags takes word i
  COMPREPLY=()
  _gwmark_options ''
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ -n $option ]]; then
      [[ $word == = ]] || option=
    elif [[ " $takes " == *" $word "* ]]; then
      option=$word
    elif [[ $word != -* && $word != = ]]; then
      if [[ -z $command ]]; then
        command=$word
        _gwmark_options "$command"
      else
        number=$((number + 1))
      fi
    fi
  done
  [[ $cur == = ]] && cur=
  if [[ -n $option ]]; then
    _gwmark_value "$command $option"
  elif [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$cur")
  elif [[ -z $command ]]; then
    mapfile -t COMPREPLY < <(compgen -W '${names(program)}' -- "$cur")
  else
    _gwmark_value "$command $number"
  fi
}

complete -F _gwmark gwmark
`;
}

function names({ commands }: ProgramDescription): string {
  return commands.map(({ name }) => name).join(' ');
}

function words({ options }: CommandDescription): string {
  return options.flatMap(({ short, long }) => (short === null ? [long] : [short, long])).join(' ');
}

/** Those whose value is another word. */
function taking({ options }: CommandDescription): string {
  return options
    .filter(({ value }) => value.kind !== 'none' && !(value.kind === 'choice' && value.isOptional))
    .flatMap(({ short, long }) => (short === null ? [long] : [short, long]))
    .join(' ');
}

/** One case for all places with the same values. */
function valueCases(program: ProgramDescription): string {
  const places = new Map<string, string[]>();
  for (const { name, options, arguments: wanted } of program.commands) {
    const all: readonly (readonly [string, ValueKind])[] = [
      ...options.flatMap(({ short, long, value }) =>
        (short === null ? [long] : [short, long]).map((flag) => [flag, value] as const),
      ),
      ...wanted.map(({ value }, index) => [String(index + 1), value] as const),
    ];
    for (const [place, value] of all) {
      const action = actionOf(value, program);
      if (action !== null) places.set(action, [...(places.get(action) ?? []), `'${name} ${place}'`]);
    }
  }
  return [...places].map(([action, at]) => `    ${at.join(' | ')})\n      ${action}\n      ;;\n`).join('');
}

function actionOf(value: ValueKind, program: ProgramDescription): string | null {
  switch (value.kind) {
    case 'choice':
      return fromWords(`'${value.of.join(' ')}'`);
    case 'command':
      return fromWords(`'${names(program)}'`);
    case 'device':
      return fromWords('"$(cd /sys/class/net 2>/dev/null && echo *)"');
    case 'file':
      return 'compopt -o filenames 2>/dev/null\n      mapfile -t COMPREPLY < <(compgen -f -- "$cur")';
    default:
      return null;
  }
}

function fromWords(list: string): string {
  return `mapfile -t COMPREPLY < <(compgen -W ${list} -- "$cur")`;
}
