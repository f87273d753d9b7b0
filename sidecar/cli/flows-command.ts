import type { Command } from 'commander';

import { parseNetwork } from '../../rules/address.js';
import type { ConfigInput } from '../config/load.js';
import { type ExitCode, GwmarkError } from '../errors.js';
import { type FlowFilter, matchesFilter } from '../flows/filter.js';
import type { Flow, FlowSource } from '../flows/flow.js';
import type { CommandContext } from './command.js';
import type { Commands } from './commands.js';
import { readConfiguration } from './configuration.js';
import { FLOW_HEADER, flowJson, flowRow } from './flow-views.js';
import { examplesHelp, exitCodesHelp } from './help.js';
import { type CliIo, hasColours, type TextOutput } from './io.js';
import { requireNetAdmin } from './privilege.js';
import { addSettingFlags, configInputOf } from './setting-flags.js';
import { GrowingTable } from './table.js';

/** How many flows are shown unless `--limit` says otherwise. */
const DEFAULT_FLOW_LIMIT = 1000;

/** Flows that are in memory at a time: one write, and the rows that determine the column widths. */
const BLOCK = 256;
/** The module's ids have 32 bits. */
const MAX_GATEWAY_ID = 0xffff_ffff;

interface FlowsOptions extends FlowFilter {
  /** Infinity for all. */
  readonly limit: number;
  readonly asJson: boolean;
}

/** `gwmark flows` */
export function defineFlows(command: Command, { io, commands, finish }: CommandContext): void {
  command
    .description(
      'List the VPN connections in the kernel whose replies go to a gateway. Shows packets and bytes if the sysctl net.netfilter.nf_conntrack_acct is on. Also works without a sidecar, on what an earlier one left. Needs CAP_NET_ADMIN.',
    )
    .option('--client <address>', 'only flows from or to this address or subnet')
    .option('--gateway <id>', 'only flows of this gateway, see "gwmark gateways"')
    .option('--limit <n>', `at most this many flows, 0 for all [default: ${DEFAULT_FLOW_LIMIT}]`)
    .option('--watch', 'show them every two seconds, those with the most bytes first, until q or a signal');
  addSettingFlags(command, { takes: ['controlSocket', 'mark.mask', 'routing.protocol', 'routing.tableBase'] })
    .option('--json', 'print {datapath, sidecarRunning, flows: [...], truncated}, one flow per line')
    .addHelpText(
      'after',
      `${examplesHelp(['gwmark flows', 'gwmark flows --client 10.8.0.2', 'gwmark flows --gateway 1 --limit 0 --json'])}${exitCodesHelp('flows')}`,
    )
    .action(async () => finish(await showFlows(configInputOf(command, io), command.opts(), io, commands)));
}

/** Prints flows as the kernel lists them, in constant memory. */
async function showFlows(
  input: ConfigInput,
  flags: Readonly<Record<string, unknown>>,
  io: CliIo,
  commands: Commands,
): Promise<ExitCode> {
  const options = parseOptions(flags);
  const config = await readConfiguration(input, { endpoints: false });
  requireNetAdmin('flows', await io.readProcStatus(), 'read connection tracking');
  if (flags['watch'] === true) {
    const { asJson, limit } = options;
    if (limit === Infinity) throw new GwmarkError('USAGE', '--watch keeps the flows in memory: expected a --limit');
    const { watchFlows } = await import('./flows-watch.js');
    const open = (): Promise<FlowSource> => commands.openFlows(config.settings);
    await watchFlows(io, { asJson, limit, open, matches: (flow) => matchesFilter(flow, options) });
    return 0;
  }

  const source = await commands.openFlows(config.settings);
  if (!source.isSidecarRunning)
    io.stderr.write(
      `gwmark: no sidecar answers at ${config.settings.controlSocket}; showing the flows that the kernel still has\n`,
    );
  const isTruncated = await print(source, options, io);
  if (isTruncated)
    io.stderr.write(`gwmark: more flows exist than --limit ${options.limit} shows (--limit 0 shows all)\n`);
  return 0;
}

/** @returns true when flows were left out because of the limit */
async function print(source: FlowSource, options: FlowsOptions, io: CliIo): Promise<boolean> {
  const printer = options.asJson ? jsonPrinter(source) : tablePrinter(source, hasColours(io.stdout, io.env));
  let isTruncated = false;
  let many = 0;
  let block: Flow[] = [];
  for await (const flow of source.flows()) {
    if (!matchesFilter(flow, options)) continue;
    if (many === options.limit) {
      isTruncated = true;
      break;
    }
    many += 1;
    block.push(flow);
    if (block.length < BLOCK) continue;
    // A reader that closes early (`head`) ends the list.
    if (!(await written(io.stdout, printer.block(block)))) return false;
    block = [];
  }
  await written(io.stdout, printer.block(block) + printer.end(isTruncated, many));
  return isTruncated;
}

interface FlowPrinter {
  block(flows: readonly Flow[]): string;
  end(isTruncated: boolean, many: number): string;
}

function jsonPrinter(source: FlowSource): FlowPrinter {
  let separator = `{"datapath":${JSON.stringify(source.datapath)},"sidecarRunning":${source.isSidecarRunning},"flows":[\n`;
  let isStarted = false;
  return {
    block: (flows) =>
      flows
        .map((flow) => {
          const text = `${separator}${JSON.stringify(flowJson(flow, source.gateways))}`;
          separator = ',\n';
          isStarted = true;
          return text;
        })
        .join(''),
    end: (isTruncated) => `${isStarted ? '\n' : separator}],"truncated":${isTruncated}}\n`,
  };
}

function tablePrinter(source: FlowSource, isColoured: boolean): FlowPrinter {
  const table = new GrowingTable(FLOW_HEADER, isColoured);
  return {
    block: (flows) => (flows.length === 0 ? '' : table.format(flows.map((flow) => flowRow(flow, source.gateways)))),
    end: (_isTruncated, many) => (many === 0 ? 'no matching flow has a gateway\n' : ''),
  };
}

/**
 * Resolves when the text was read, so that a slow reader delays the kernel's list instead of filling memory; false when
 * nobody takes it.
 */
function written(output: TextOutput, text: string): Promise<boolean> {
  return new Promise((resolve) => output.write(text, (error) => resolve(error === undefined || error === null)));
}

function parseOptions(flags: Readonly<Record<string, unknown>>): FlowsOptions {
  const client = textOf(flags['client']);
  const gateway = integerOf('--gateway', textOf(flags['gateway']), 1, MAX_GATEWAY_ID);
  const limit = integerOf('--limit', textOf(flags['limit']), 0, Number.MAX_SAFE_INTEGER) ?? DEFAULT_FLOW_LIMIT;
  const network = client === undefined ? undefined : parseNetwork(client);
  if (network === null)
    throw new GwmarkError(
      'USAGE',
      `--client "${client}": expected an address such as 10.8.0.2, or a subnet such as 10.8.0.0/24`,
    );
  return {
    ...(network === undefined ? {} : { client: network }),
    ...(gateway === undefined ? {} : { gateway }),
    limit: limit === 0 ? Infinity : limit,
    asJson: flags['json'] === true,
  };
}

function integerOf(flag: string, text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new GwmarkError('USAGE', `${flag} "${text}": expected an integer in ${min}..${max}`);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
