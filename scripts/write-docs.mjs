// npm run docs: writes the pages that are made from the code: docs/reference and docs/man, which package.json lists for npm.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

import { writeManPages } from '../dist/sidecar/cli/manual/write-man-pages.js';
import { writeReferencePages } from '../dist/sidecar/cli/reference-pages.js';

await writeReferencePages('docs/reference');
await writeManPages('docs/man');

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
manifest.man = readdirSync('docs/man')
  .toSorted()
  .map((file) => `docs/man/${file}`);
writeFileSync('package.json', `${JSON.stringify(manifest, null, 2)}\n`);
