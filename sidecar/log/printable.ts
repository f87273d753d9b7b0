/**
 * Control characters, bidirectional overrides and line separators: what a hostile common name may hide in a terminal.
 */
// oxlint-disable-next-line no-control-regex -- finding control characters is the purpose
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/gu;

/**
 * Replaces every character that could move the cursor, colour, hide or reorder text with its `\uXXXX` form.
 * Text from clients (common names, addresses, version strings) passes here before it reaches a terminal.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u${code.toString(16).padStart(4, '0')}`;
  });
}
