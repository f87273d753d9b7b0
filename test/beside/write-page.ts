// write-page.js FILE...: takes the results of a run, one JSON object a line, into test/beside/results.json and
// docs/reference/beside.md. Lines of a guest's console that are none are passed over.
import { readFileSync, writeFileSync } from 'node:fs';

import { NEIGHBOURS } from './neighbours.js';
import { renderPage, transportsOf } from './page.js';
import type { Result } from './results.js';
import { key, PAGE, readResults, writeResults } from './stored-results.js';

const known = new Set(
  NEIGHBOURS.flatMap((neighbour) =>
    transportsOf(neighbour).map((transport) => key({ name: neighbour.name, transport })),
  ),
);
const results = new Map(readResults().map((result) => [key(result), result]));
for (const file of process.argv.slice(2)) {
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [text] = /\{"name":.*\}/.exec(line) ?? [];
    if (text === undefined) continue;
    // Written by record() in results.ts.
    const result = JSON.parse(text) as Result;
    results.set(key(result), result);
  }
}
const rows = [...results.values()].filter((result) => known.has(key(result)));
writeResults(rows);
writeFileSync(PAGE, renderPage(NEIGHBOURS, rows));
console.log(`${PAGE}: ${rows.length} results`);
