import { existsSync, readFileSync, readdirSync } from 'node:fs';

// Compiled files lie in dist/test/lab.
const ROOT = new URL('../../../', import.meta.url);

/** A fenced block of a guide: its language, the words after it, and its lines. */
export interface GuideBlock {
  readonly language: string;
  /** Where it is run, and when: `endpoint background`. */
  readonly words: readonly string[];
  readonly text: string;
}

/** Names of all guides, as paths below the root of the project, and the page at the top. */
export function guideFiles(): readonly string[] {
  return [
    'README.md',
    ...readdirSync(new URL('docs/guides/', ROOT))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/guides/${name}`),
  ];
}

/** The text of a page. */
export function readGuide(file: string): string {
  return readFileSync(new URL(file, ROOT), 'utf8');
}

/** Whether there is such a file or directory. */
export function isInProject(file: string): boolean {
  return existsSync(new URL(file, ROOT));
}

/** Every fenced block, in order. */
export function fencedBlocks(page: string): readonly GuideBlock[] {
  return [...page.matchAll(/^```(\S*)(.*)\n([\s\S]*?)^```$/gm)].map(([, language = '', words = '', text = '']) => ({
    language,
    words: words.split(' ').filter(Boolean),
    text,
  }));
}

/**
 * Every line of code that begins with `gwmark COMMAND`, fenced or indented, and every such phrase between backticks; a
 * backslash joins lines.
 */
export function gwmarkCommands(page: string): readonly string[] {
  const joined = page.replaceAll(/\\\n\s*/g, '');
  const inBlocks = fencedBlocks(joined).flatMap(({ text }) => text.split('\n'));
  const withoutBlocks = joined.replaceAll(/^```[\s\S]*?^```$/gm, '');
  const indented = withoutBlocks.split('\n').filter((line) => /^ {4,}/.test(line));
  const quoted = [...withoutBlocks.matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => text);
  return [...inBlocks, ...indented, ...quoted]
    .map((line) => line.trim().replace(/^(?:sudo |bin\/)?(?=gwmark )/, ''))
    .filter((line) => /^gwmark [a-z-]/.test(line));
}

/** Splits as a shell does, as far as guides go: blanks, single and double quotes. */
export function shellWords(line: string): readonly string[] {
  return [...line.matchAll(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g)].map(([word]) => word.replaceAll(/["']/g, ''));
}
