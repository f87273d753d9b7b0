import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Commands } from '../commands.js';
import type { CliIo } from '../io.js';
import { wholeProgram } from '../program.js';
import { describeProgram, type ProgramDescription } from './command-description.js';
import { manPages } from './man-pages.js';

/** The command line as it is, without a process to run it in. */
export async function describeCommandLine(): Promise<ProgramDescription> {
  // Only a command that runs uses them.
  const nothing: unknown = { stdout: {}, stderr: {}, env: {} };
  const program = await wholeProgram({
    io: nothing as CliIo,
    commands: {} as Commands,
    finish: () => undefined,
    wholeProgram: () => Promise.reject(new Error('no command runs here')),
  });
  return describeProgram(program);
}

/** Writes the manual pages into a directory, normally docs/man. */
export async function writeManPages(directory: string): Promise<void> {
  for (const { file, text } of manPages(await describeCommandLine())) await writeFile(join(directory, file), text);
}
