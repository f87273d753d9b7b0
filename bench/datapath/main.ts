/**
 * `npm run bench:datapath`: see options.ts for its help. The only file of this benchmark that writes to standard
 * output.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { runCommand } from '../command.js';
import { readFacts } from '../facts.js';
import { runEngine } from './engine.js';
import type { Options } from './options.js';
import { HELP, parseOptions } from './options.js';
import type { DatapathRow } from './rows.js';
import { makeRows } from './rows.js';
import { formatDatapathReport } from './table.js';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));

const progress = (text: string): void => void process.stderr.write(`${text}\n`);

process.exitCode = await runCommand({ help: HELP, parse: parseOptions, run }, process.argv.slice(2));

async function run(options: Options): Promise<number> {
  if (process.geteuid?.() !== 0) {
    process.stderr.write('bench: needs root: sudo npm run bench:datapath\n');
    return 1;
  }
  const rows: DatapathRow[] = [];
  try {
    await withEndpointFiles(async (files) => {
      for (const engine of options.engines) {
        rows.push(
          ...makeRows(
            engine,
            await runEngine(engine, {
              flows: options.flows,
              isQuick: options.isQuick,
              files,
              repository: REPOSITORY,
              progress,
            }),
          ),
        );
      }
    });
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n`);
    return 1;
  }
  const facts = await readFacts();
  const args = process.argv.slice(2);
  const command = ['npm run bench:datapath', ...(args.length === 0 ? [] : ['--', ...args])].join(' ');
  const report = options.asJson
    ? `${JSON.stringify({ ...facts, command, rows: rows.map(({ row }) => row) })}\n`
    : `\n${formatDatapathReport(facts, command, rows)}`;
  process.stdout.write(report);
  return 0;
}

/** The directory is in the cache, because a guest has a /tmp of its own. */
async function withEndpointFiles(use: (files: string) => Promise<void>): Promise<void> {
  const cache = join(process.env['GWMARK_CACHE'] ?? join(REPOSITORY, '.cache'), 'bench');
  await mkdir(cache, { recursive: true });
  const files = await mkdtemp(join(cache, 'endpoints-'));
  try {
    const compiler = fileURLToPath(new URL('compile-endpoints.js', import.meta.url));
    await promisify(execFile)('unshare', ['--net', process.execPath, compiler, files]);
    await use(files);
  } finally {
    await rm(files, { recursive: true, force: true });
  }
}
