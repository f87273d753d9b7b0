import { DEFAULT_CONFIG_FILE } from '../config/load.js';
import { CONFIG_ENV } from '../config/sources.js';
import { EXIT_CODES } from './exit-codes.js';

/** Command lines that do something sensible; a test parses them. */
export function examplesHelp(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

/** Where settings come from. */
export function environmentHelp(): string {
  return `
Environment:
  Every setting has a variable: --log-level is GWMARK_LOG_LEVEL. ${CONFIG_ENV} names the file. Flags override
  the environment, which overrides the file, which overrides the defaults. Without --config,
  ${DEFAULT_CONFIG_FILE} is read if it exists. NO_COLOR disables colours.
`;
}

/** What the command exits with. */
export function exitCodesHelp(): string {
  const lines = EXIT_CODES.flatMap(({ code, meaning, cases }) => [
    `  ${code}  ${meaning}\n`,
    ...cases.map((text) => `     - ${text}\n`),
  ]);
  return `\nExit codes:\n${lines.join('').replaceAll('`', '')}`;
}
