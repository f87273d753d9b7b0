import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { NEIGHBOURS } from '../../beside/neighbours.js';
import { renderPage, transportsOf } from '../../beside/page.js';
import { key, PAGE, readResults } from '../../beside/stored-results.js';

describe('docs/reference/beside.md', () => {
  it('is what the table of neighbours and the results of its last run make of it', () => {
    assert.equal(
      readFileSync(PAGE, 'utf8') === renderPage(NEIGHBOURS, readResults()),
      true,
      'docs/reference/beside.md is stale: npm run test:beside',
    );
  });

  it('has a result of each row that needs no virtual machine, over each of its transports, none of another row, and each says what the table says', () => {
    const rows = NEIGHBOURS.flatMap((neighbour) =>
      transportsOf(neighbour).map((transport) => ({
        text: `${key({ name: neighbour.name, transport })}: ${neighbour.limit === undefined ? 'passes' : 'limit'}`,
        where: neighbour.where ?? 'netns',
      })),
    );
    const shown = readResults().map((result) => `${key(result)}: ${result.outcome}`);

    assert.deepEqual(
      shown.filter((text) => !rows.some((row) => row.text === text)),
      [],
    );
    assert.deepEqual(
      rows.filter(({ text, where }) => where === 'netns' && !shown.includes(text)).map(({ text }) => text),
      [],
    );
  });
});

describe('the table of neighbours', () => {
  it('has each name once', () => {
    const names = NEIGHBOURS.map(({ name }) => name);

    assert.deepEqual(names, [...new Set(names)]);
  });

  it('has no limit that nobody names', () => {
    assert.deepEqual(
      NEIGHBOURS.filter(({ limit }) => limit?.named.length === 0).map(({ name }) => name),
      [],
    );
  });
});
