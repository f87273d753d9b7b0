import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Result } from './results.js';

const CHECKOUT = fileURLToPath(new URL('../../../', import.meta.url));
const RESULTS = path.join(CHECKOUT, 'test/beside/results.json');
/** The page that shows them. */
export const PAGE = path.join(CHECKOUT, 'docs/reference/beside.md');

/** What the last run of each row showed. */
export function readResults(): readonly Result[] {
  // Written by writeResults.
  return JSON.parse(readFileSync(RESULTS, 'utf8')) as Result[];
}

/** Keeps results, one a line, so that two changes meet in different lines. */
export function writeResults(results: readonly Result[]): void {
  const lines = results.toSorted((a, b) => key(a).localeCompare(key(b))).map((result) => JSON.stringify(result));
  writeFileSync(RESULTS, `[\n${lines.join(',\n')}\n]\n`);
}

/** What names a result among others. */
export function key({ name, transport }: Pick<Result, 'name' | 'transport'>): string {
  return `${name} / ${transport}`;
}
