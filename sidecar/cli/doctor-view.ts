import { type Finding, SEVERITIES, type Severity, worstOf } from '../doctor/finding.js';
import { type Cell, type Colour, formatTable } from './table.js';

const COLOURS: Readonly<Record<Severity, Colour>> = { ok: 'green', info: 'none', warn: 'yellow', error: 'red' };

/** Longest text of a cell before it continues in the next line, in characters. */
const CELL_WIDTH = 44;

/** `gwmark doctor`: one table, the worst first, then a sentence. */
export function doctorView(findings: readonly Finding[], hasColours: boolean): string {
  const sorted = findings.toSorted((a, b) => SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity));
  const rows = sorted.flatMap(({ severity, subject, found, expected, remedy }) => {
    const columns = [subject, found, expected, remedy ?? ''].map((text) => wrap(text, CELL_WIDTH));
    const height = Math.max(...columns.map((lines) => lines.length));
    return Array.from({ length: height }, (_, line): readonly (string | Cell)[] => [
      { text: line === 0 ? severity : ' ', colour: COLOURS[severity] },
      ...columns.map((lines) => lines[line] ?? ' '),
    ]);
  });
  return `${formatTable(['SEVERITY', 'WHAT', 'FOUND', 'EXPECTED', 'FIX'], rows, hasColours)}\n${summary(findings)}\n`;
}

function summary(findings: readonly Finding[]): string {
  const count = (severity: Severity): number => findings.filter((finding) => finding.severity === severity).length;
  switch (worstOf(findings.map(({ severity }) => severity))) {
    case 'error':
      return `${plural(count('error'), 'error')}, ${plural(count('warn'), 'warning')}: fix the errors first`;
    case 'warn':
      return `no error, ${plural(count('warn'), 'warning')}`;
    default:
      return 'nothing is wrong';
  }
}

/** Breaks at blanks; a word that is longer stays whole. */
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

function plural(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}
