import { type Command, Option } from 'commander';

import { parseNetwork } from '../../rules/address.js';
import type { ConfigInput } from '../config/load.js';
import { showValue } from '../config/problem.js';
import type { SettingPath } from '../config/table.js';
import { type ExitCode, GwmarkError } from '../errors.js';
import { printable } from '../log/printable.js';
import { type Trace, TRACE_STEPS, type TraceQuery } from '../trace/trace.js';
import type { CommandContext } from './command.js';
import type { Commands } from './commands.js';
import { readConfiguration } from './configuration.js';
import { examplesHelp, exitCodesHelp } from './help.js';
import { type CliIo, hasColours } from './io.js';
import { requireNetAdmin } from './privilege.js';
import { addSettingFlags, configInputOf } from './setting-flags.js';
import { formatTable, paint } from './table.js';

/** The settings by which the kernel's state is found; the running sidecar supplies the rest. */
const SETTINGS_OF_TRACE = [
  'controlSocket',
  'devices',
  'table',
  'executor',
  'mark.mask',
  'gateways.learnOnlink',
  'routing.protocol',
  'routing.tableBase',
  'routing.priority',
  'routing.nexthop4',
  'routing.nexthop6',
] as const satisfies readonly SettingPath[];

/** `gwmark trace` */
export function defineTrace(command: Command, { io, commands, finish }: CommandContext): void {
  command
    .description(
      'Follow the replies of one flow, step by step, from their source to the MAC address that they are sent to, or to the first obstacle; then print how to fix it, and where the packets go instead.\nSRC opened the flow, DST answers: a client, a host behind one, or OpenVPN itself. For a flow that DST opened, it follows what DST sends. Sends and changes nothing. Also works without a sidecar, on what an earlier one left. Needs CAP_NET_ADMIN.',
    )
    .argument('<SRC>', 'address that opened the flow')
    .argument('<DST>', 'address that answers')
    .addOption(new Option('--proto <protocol>', 'only flows of this protocol').choices(['udp', 'tcp', 'icmp']))
    .option('--sport <n>', 'only flows with this port of SRC')
    .option('--dport <n>', 'only flows with this port of DST');
  addSettingFlags(command, { takes: SETTINGS_OF_TRACE })
    .option('--json', 'print {query, goesByMac, steps: [{step, ok, text, remedy}], sentence, instead}')
    .addHelpText('after', `${examplesHelp(EXAMPLES)}${stepsHelp()}${exitCodesHelp('trace')}`)
    .action(async (source: string, destination: string) => {
      const options: Readonly<Record<string, unknown>> = command.opts();
      const query = parseQuery(source, destination, options);
      finish(await traceCommand(query, configInputOf(command, io), options['json'] === true, io, commands));
    });
}

const EXAMPLES = [
  'gwmark trace 198.51.100.2 10.8.0.2',
  'gwmark trace 198.51.100.2 10.8.0.2 --proto tcp --dport 22',
  'gwmark trace 203.0.113.7 192.0.2.10 --proto udp --dport 1194 --json',
];

/** Which steps there can be; the reference has the same. */
function stepsHelp(): string {
  const lines = Object.entries(TRACE_STEPS).map(
    ([name, text]) => `  ${name.padEnd(12)} ${text.replaceAll('`', '')}\n`,
  );
  return `\nSteps, depending on the flow and the datapath:\n${lines.join('')}`;
}

async function traceCommand(
  query: TraceQuery,
  input: ConfigInput,
  asJson: boolean,
  io: CliIo,
  commands: Commands,
): Promise<ExitCode> {
  const { settings } = await readConfiguration(input, { endpoints: false });
  requireNetAdmin('trace', await io.readProcStatus(), 'read nftables and connection tracking');
  const trace = await commands.trace(settings, query);
  io.stdout.write(
    asJson ? `${JSON.stringify(trace, undefined, 2)}\n` : traceView(trace, hasColours(io.stdout, io.env)),
  );
  return trace.goesByMac ? 0 : 1;
}

/** The steps in a table, then the sentence, where packets go instead, and how to fix what failed. */
export function traceView({ steps, sentence, instead }: Trace, colours: boolean): string {
  const rows = steps.map(({ step, ok, text }) => [
    { text: ok ? 'ok' : 'no', colour: ok ? 'green' : 'red' } as const,
    step,
    text,
  ]);
  const remedy = steps.find(({ ok }) => !ok)?.remedy ?? null;
  return `${formatTable(['', 'STEP', 'FOUND'], rows, colours)}\n${paint(printable(sentence), 'bold', colours)}\n${instead === null ? '' : `instead: ${printable(instead)}\n`}${remedy === null ? '' : `fix: ${printable(remedy)}\n`}`;
}

/** @throws GwmarkError USAGE naming the first fault */
function parseQuery(source: string, destination: string, options: Readonly<Record<string, unknown>>): TraceQuery {
  const [from, to] = [address('SRC', source), address('DST', destination)];
  if (from.includes(':') !== to.includes(':'))
    throw usage(`SRC ${from} and DST ${to} are of different address families`);
  const protocol = options['proto'] as TraceQuery['protocol'] | undefined;
  const [sourcePort, destinationPort] = [port('--sport', options['sport']), port('--dport', options['dport'])];
  if (protocol === 'icmp' && (sourcePort !== null || destinationPort !== null))
    throw usage('--sport and --dport cannot be combined with --proto icmp, which has no ports');
  return { source: from, destination: to, protocol: protocol ?? null, sourcePort, destinationPort };
}

function address(name: string, text: string): string {
  const network = text.includes('/') ? null : parseNetwork(text);
  if (network === null) throw usage(`${name} ${showValue(text)}: expected an IPv4 or IPv6 address`);
  return network.address;
}

function port(flag: string, text: unknown): number | null {
  if (typeof text !== 'string') return null;
  const number = Number(text);
  if (!/^\d{1,5}$/.test(text) || number < 1 || number > 65535)
    throw usage(`${flag} ${showValue(text)}: expected a port in 1..65535`);
  return number;
}

function usage(text: string): GwmarkError {
  return new GwmarkError('USAGE', `${text}\nsee "gwmark trace --help"`);
}
