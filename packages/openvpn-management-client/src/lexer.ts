/** What the daemon makes of a command line: parameters, or the text of its ERROR. */
export type LexedLine =
  | { readonly ok: true; readonly parameters: readonly string[] }
  | { readonly ok: false; readonly error: string };

const MAX_PARAMETERS = 16;
const MAX_PARAMETER_BYTES = 256;

/**
 * Splits a command line as OpenVPN does: blanks part parameters, `"` and `'` quote, a backslash escapes outside of
 * `'`, and `;` or `#` at the start of a parameter begins a comment.
 *
 * @param line bytes as characters, control characters included
 * @see options_parse.c parse_line (v2.6.14), rewritten from its behaviour
 */
export function lexLine(line: string): LexedLine {
  // manage.c command_line_add: control characters are dropped before anybody looks at them.
  const text = Array.from(line, (character) => (character >= ' ' && character !== '\u007f' ? character : '')).join('');
  const parameters: string[] = [];
  let state: 'between' | 'plain' | 'double' | 'single' = 'between';
  let isEscaped = false;
  let parameter = '';
  const take = (): void => {
    parameters.push(parameter);
    parameter = '';
    state = 'between';
  };
  for (const character of `${text} `) {
    if (!isEscaped && character === '\\' && state !== 'single') {
      isEscaped = true;
      if (state === 'between') state = 'plain';
      continue;
    }
    if (isEscaped) {
      if (character !== '\\' && character !== '"' && character !== ' ')
        return { ok: false, error: "Options warning: Bad backslash ('\\') usage in TCP:0" };
      parameter += character;
      isEscaped = false;
    } else if (state === 'between') {
      if (character === ' ') continue;
      if (character === ';' || character === '#') break;
      if (character === '"') state = 'double';
      else if (character === "'") state = 'single';
      else {
        state = 'plain';
        parameter = character;
      }
    } else if (state === 'plain' && character === ' ') take();
    else if ((state === 'double' && character === '"') || (state === 'single' && character === "'")) take();
    else parameter += character;
  }
  if (state === 'double' || state === 'single')
    return { ok: false, error: 'Options error: No closing quotation (") in TCP:0' };
  const long = parameters.find((value) => value.length > MAX_PARAMETER_BYTES);
  if (long !== undefined)
    return {
      ok: false,
      error: `Options error: Parameter at TCP:0 is too long (${MAX_PARAMETER_BYTES} chars max): ${long}`,
    };
  return { ok: true, parameters: parameters.slice(0, MAX_PARAMETERS) };
}
