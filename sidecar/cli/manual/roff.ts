/** Text for man(7), as far as the manual pages need it. */

/** Prose: nothing in it is a request or an escape. */
export function roffText(text: string): string {
  return guarded(
    text
      .replaceAll('\\', String.raw`\e`)
      .replaceAll('~', String.raw`\(ti`)
      .replaceAll('^', String.raw`\(ha`),
  );
}

/** What users type, in bold: its hyphens are those of ASCII. */
export function bold(text: string): string {
  return String.raw`\fB${literal(text)}\fR`;
}

/** What users replace, in italics. */
export function italic(text: string): string {
  return String.raw`\fI${literal(text)}\fR`;
}

/** Prose whose code is between backquotes, as in docstrings of settings: the code becomes bold. */
export function roffProse(text: string): string {
  return guarded(
    text
      .split('`')
      .map((part, index) => (index % 2 === 0 ? roffText(part) : bold(part)))
      .join(''),
  );
}

/** A paragraph with a term that hangs out on its left. @param term already roff */
export function tagged(term: string, text: string): string {
  return `.TP\n${guarded(term)}\n${text}\n`;
}

/** Lines as they are typed, indented. */
export function example(lines: readonly string[]): string {
  return `.PP\n.in +4n\n.EX\n${lines.map((line) => `${guarded(literal(line))}\n`).join('')}.EE\n.in\n`;
}

function literal(text: string): string {
  return roffText(text).replaceAll('-', String.raw`\-`);
}

/** A dot or a quote at the begin of a line would make it a request. */
function guarded(text: string): string {
  return text.replaceAll(/^(?=[.'])/gm, String.raw`\&`);
}
