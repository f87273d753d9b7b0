#!/usr/bin/env node
// check-words.mjs [FILE...]: finds the words of the table in docs/STYLE.md (default: in every text that git knows), and exits with 1 if there are any.
// A line where the word is right (quoted output of another program, a name) ends with "style: right", in a comment of its language.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const ROOT = new URL('../', import.meta.url);
const TEXTS = /(\.(md|ts|mjs|c|h|sh|ya?ml|service|8)|\/Makefile|\.Dockerfile|deploy\/(debian|docker)\/[^/]+)$/;
/** Names these words, is not ours, or is recorded output. */
const EXCLUDED =
  /^(docs\/STYLE\.md|scripts\/check-words\.mjs|test\/unit\/docs\/words\.test\.ts|test\/transcripts\/.*|\.github\/.*)$/;
const EXEMPT = /style: right/;

/** The words of the table in docs/STYLE.md: how one is found, and what to write. */
export const WORDS = [
  { pattern: /\bmend(?:s|ed|ing)?\b/i, instead: 'fix, repair' },
  { pattern: /\bheal(?:s|ed|ing)?\b/i, instead: 'fix, repair' },
  { pattern: /\b(?:made|make|makes) (?:\S+ ){0,4}anew\b/i, instead: 'recreated, recreate' },
  { pattern: /\bstart(?:s|ed)? (?:\S+ )?anew\b/i, instead: 'recreated, restarted' },
  { pattern: /\banew\b/i, instead: 'again' },
  { pattern: /\bagain and again\b/i, instead: 'again, repeatedly' },
  { pattern: /\b(?:put(?:s|ting)?|set(?:s|ting)?) (?:\w+ ){0,2}back\b/i, instead: 'restore' },
  { pattern: /\bsomebody\b/i, instead: 'another program, a user' },
  { pattern: /\bthe one who\b/i, instead: 'another program, a user, the sender' },
  { pattern: /\b(?:bears?|bearing|bore)\b/i, instead: 'has' },
  { pattern: /\bcarr(?:y|ies|ied) (?:a|an|the|its|that|no) (?:name|tag)\b/i, instead: 'has' },
  { pattern: /\bstands?\b(?! (?:for|still|alone))/i, instead: 'is, is in, is installed' },
  { pattern: /\bat fault\b/i, instead: 'invalid, wrong' },
  { pattern: /\bas (?:it|they) must(?: be)?\b/i, instead: 'as expected, healthy' },
  { pattern: /\bas ever\b/i, instead: 'as before' },
  { pattern: /\bin vain\b/i, instead: 'without success' },
  { pattern: /\bhears of\b/i, instead: 'learns of' },
  { pattern: /\bfor ever\b/i, instead: 'forever' },
  { pattern: /\ball the same\b/i, instead: 'anyway, still' },
  { pattern: /\bas good as\b/i, instead: 'the same as, almost' },
  { pattern: /\bfar away\b/i, instead: 'distant' },
];

/** The finds in one text, as "LINE: word -> what to write". */
export function findWords(text) {
  return text.split('\n').flatMap((line, index) =>
    EXEMPT.test(line)
      ? []
      : WORDS.flatMap(({ pattern, instead }) => {
          const found = pattern.exec(line);
          return found === null ? [] : [`${index + 1}: "${found[0]}" (docs/STYLE.md): write ${instead}`];
        }),
  );
}

function tracked() {
  return execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' })
    .split('\n')
    .filter((file) => TEXTS.test(file) && !EXCLUDED.test(file));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const files = process.argv.length > 2 ? process.argv.slice(2) : tracked();
  const found = files.flatMap((file) =>
    findWords(readFileSync(new URL(file, ROOT), 'utf8')).map((find) => `${file}:${find}`),
  );
  for (const find of found) process.stdout.write(`${find}\n`);
  process.exitCode = found.length > 0 ? 1 : 0;
}
