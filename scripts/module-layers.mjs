// Checks that no file of the kernel module calls upward: node scripts/module-layers.mjs [DIRECTORY]
// The layers are the table in DIRECTORY/README.md (default: module). Exit code 1, and a line for each call upward.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const directory = process.argv[2] ?? 'module';

/** Rank of each file without its .c, the lowest layer last. */
function readRanks() {
  const readme = readFileSync(join(directory, 'README.md'), 'utf8');
  const table = readme.slice(readme.indexOf('## Layers'));
  const rows = [...table.matchAll(/^\| (?!layer |---)[a-z]+ \| ([^|]+) \|/gm)].map((row) => row[1]);
  const groups = rows.flatMap((row) => row.split(';').map((group) => group.split(',').map((name) => name.trim())));
  return new Map(groups.flatMap((group, rank) => group.map((name) => [name, rank])));
}

/** Source without comments, strings and include lines. */
function readCode(name) {
  return readFileSync(join(directory, `${name}.c`), 'utf8')
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
    .replace(/"(?:\\.|[^"\\\n])*"/g, '""')
    .replace(/^#\s*include.*/gm, '');
}

const ranks = readRanks();
const names = readdirSync(directory)
  .filter((file) => file.endsWith('.c'))
  .map((file) => file.slice(0, -2));
const complaints = names.filter((name) => !ranks.has(name)).map((name) => `${name}.c is in no layer of README.md`);
for (const name of ranks.keys())
  if (!names.includes(name)) complaints.push(`README.md has a file ${name}.c in its layers that does not exist`);

const code = new Map(names.map((name) => [name, readCode(name)]));
/** What is defined at the beginning of a line, not static. */
const home = new Map();
for (const [name, text] of code)
  for (const [line, symbol] of text.matchAll(/^(?!static\b|\s)[a-z][^;{}()=]*?\b(gwmark_\w+)\s*(?=\(|;|=)/gm))
    if (!/^(?:extern|return|typedef)\b/.test(line)) home.set(symbol, name);

for (const [name, text] of code)
  for (const symbol of new Set(text.match(/\bgwmark_\w+/g) ?? [])) {
    const callee = home.get(symbol);
    if (callee === undefined || callee === name) continue;
    if ((ranks.get(callee) ?? Infinity) <= (ranks.get(name) ?? -1))
      complaints.push(`${name}.c uses ${symbol}() of ${callee}.c, which is not below it`);
  }

if (home.size === 0) complaints.push('no function found');
for (const complaint of complaints) process.stderr.write(`module-layers: ${complaint}\n`);
process.exit(complaints.length === 0 ? 0 : 1);
