/**
 * Longest word that iptables-restore takes, in bytes (xshared.c struct xt_param_buf, 1024 with the final NUL; iptables
 * 1.8.9).
 */
export const MAX_WORD_BYTES = 1023;
/**
 * Longest line without its end that iptables-restore reads whole (iptables-restore.c `char buffer[10240]`; a longer
 * one is read as two).
 */
export const MAX_LINE_BYTES = 10_238;

export interface SplitWords {
  readonly words: readonly string[];
  /** The text ends inside quotes. */
  readonly isOpen: boolean;
}

/**
 * Splits text into words as iptables-restore does: at spaces, tabs and newlines; `"` opens a quoted part in which `\`
 * takes the next character as it is; the closing `"` ends the word.
 *
 * @see xshared.c add_param_to_argv (iptables 1.8.9)
 */
export function splitWords(text: string): SplitWords {
  const words: string[] = [];
  let word = '';
  let isStarted = false;
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (isQuoted && char === '\\') {
      at += 1;
      word += text.charAt(at);
    } else if (char === '"' && !isQuoted) {
      isQuoted = true;
      isStarted = true;
    } else if (isQuoted ? char === '"' : isSpace(char)) {
      if (isStarted) words.push(word);
      word = '';
      isStarted = false;
      isQuoted = false;
    } else {
      word += char;
      isStarted = true;
    }
  }
  if (isStarted && !isQuoted) words.push(word);
  return { words, isOpen: isQuoted };
}

/** One word as `splitWords` reads it back; quoted only if necessary. */
export function quoteWord(word: string): string {
  return word !== '' && !/[\s"\\']/u.test(word) ? word : `"${word.replaceAll(/["\\']/gu, (char) => `\\${char}`)}"`;
}

/** Words with one space between them. */
export function joinWords(words: readonly string[]): string {
  return words.map(quoteWord).join(' ');
}

function isSpace(char: string): boolean {
  return char === ' ' || char === '\t' || char === '\n';
}
