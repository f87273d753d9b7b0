import { CONFIG_ENV, DEFAULT_CONFIG_FILE } from '../config/file-name.js';
import { type CommandName, EXIT_CODES, exitCodesOf } from './exit-codes.js';

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

/** What one command exits with; without a command, what the codes mean for all of them. */
export function exitCodesHelp(command?: CommandName): string {
  const lines = command === undefined ? Object.entries(EXIT_CODES) : exitCodesOf(command);
  return `\nExit codes:\n${lines.map(([code, meaning]) => `  ${code}  ${meaning}\n`).join('')}`;
}
