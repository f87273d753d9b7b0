/** A line of a batch that `ip` or the kernel refused. */
export interface RefusedLine {
  readonly line: string;
  /** In the words of the kernel or of `ip`, which never translates them. */
  readonly reason: string;
}

/** How one `ip -batch` ended. */
export interface BatchOutcome {
  readonly refused: readonly RefusedLine[];
  /** The lines that it did not run because it ended at a refused neighbour, `-force` or not. */
  readonly rest: readonly string[];
}

/**
 * A line that prints one line, for `ip -o`. It follows each neighbour but the last: `ip` exits at a refused neighbour
 * without naming its line (ipneigh_modify of iproute2), so what was printed tells how far it came.
 */
const MARKER = 'link show dev lo';

/** What `ip -o -batch -` is given to run these lines. Pure. */
export function batchInput(lines: readonly string[]): string {
  return `${numbered(lines)
    .map(({ text }) => text)
    .join('\n')}\n`;
}

/**
 * Reads what `ip -o -batch -` printed and how it ended: `Error: reason` or `RTNETLINK answers: reason`, then
 * `Command failed -:LINE`, but nothing after the reason if it exited there. Pure.
 */
export function readBatch(
  lines: readonly string[],
  { exitCode, stdout, stderr }: { readonly exitCode: number | null; readonly stdout: string; readonly stderr: string },
): BatchOutcome {
  const refused: RefusedLine[] = [];
  if (exitCode === 0) return { refused, rest: [] };
  const texts = numbered(lines);
  let reason = '';
  for (const text of stderr.split('\n')) {
    const failed = /^Command failed -:(\d+)/.exec(text);
    if (failed !== null) {
      refused.push({ line: lines[texts[Number(failed[1]) - 1]?.index ?? 0] ?? '', reason });
      reason = '';
    } else if (text.trim() !== '') reason = text.replace(/^(RTNETLINK answers|Error): /, '').trim();
  }
  if (reason === '') return { refused, rest: [] };
  const passed = [...stdout.matchAll(/^\d+: /gm)].length;
  const end = lines.flatMap((line, index) => (isNeighbour(line) ? [index] : []))[passed];
  if (end === undefined) return { refused: [...refused, { line: '-batch', reason }], rest: [] };
  return { refused: [...refused, { line: lines[end] ?? '', reason }], rest: lines.slice(end + 1) };
}

/** The lines with their markers, each with the index of the line that it is or follows. */
function numbered(lines: readonly string[]): { readonly text: string; readonly index: number }[] {
  return lines.flatMap((text, index) =>
    isNeighbour(text) && index < lines.length - 1
      ? [
          { text, index },
          { text: MARKER, index },
        ]
      : [{ text, index }],
  );
}

function isNeighbour(line: string): boolean {
  return line.startsWith('neigh ');
}
