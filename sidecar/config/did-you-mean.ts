/**
 * The candidate that was probably meant, undefined if none is near. Letter case, dashes and underscores do not
 * count; a candidate's last dotted part alone is enough (`mask` for `mark.mask`).
 */
export function didYouMean(wrong: string, candidates: readonly string[]): string | undefined {
  const written = plain(wrong);
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: distanceTo(written, candidate) }))
    .toSorted((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.max(1, Math.floor(written.length / 4))
    ? best.candidate
    : undefined;
}

function distanceTo(written: string, candidate: string): number {
  const whole = editDistance(written, plain(candidate));
  const writtenLast = written.split('.').at(-1) ?? written;
  const candidateLast = plain(candidate.split('.').at(-1) ?? candidate);
  // A match of only the last part, or of its beginning (`password`), counts as slightly farther than a complete match.
  const last = editDistance(writtenLast, candidateLast) + 0.5;
  const beginning = editDistance(writtenLast, candidateLast.slice(0, writtenLast.length)) + 0.75;
  return Math.min(whole, last, writtenLast.length < 4 ? Infinity : beginning);
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, '').slice(0, 100);
}

/** Optimal string alignment: insert, delete, replace, swap neighbours. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const isSame = a[row - 1] === b[column - 1];
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      current[column] = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (isSame ? 0 : 1),
        isSwap ? at(beforeLast, column - 2) + 1 : Infinity,
      );
    }
    beforeLast = last;
    last = current;
  }
  return at(last, b.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
