import { type Command, Option } from 'commander';

import type { ConfigInput } from '../../config/load.js';
import { type ExitCode, GwmarkError } from '../../errors.js';
import type { CommandContext } from '../command.js';
import { readControlSocket } from '../configuration.js';
import { examplesHelp, exitCodesHelp } from '../help.js';
import { type CliIo, hasColours } from '../io.js';
import { Ending, followLive } from '../live-status.js';
import { Screen } from '../screen.js';
import { addSettingFlags, configInputOf } from '../setting-flags.js';
import { takeKey } from '../watch.js';
import { Measure, type Measured } from '../../live/measure.js';
import { type Order, ORDERS, sortedClients, sortedGateways } from './order.js';
import { afterKey, beginTop, TOP_KEYS, type TopState } from './top-state.js';
import { topScreen, topText } from './top-view.js';

/** How long `--once` waits for a second count of every client, ms: OpenVPN is asked every two seconds. */
const LONGEST_ONCE_MS = 6000;

/** `gwmark top` */
export function defineTop(command: Command, { io, finish }: CommandContext): void {
  command
    .description(
      'Show clients, gateways and their rates, sorted and live, until you press q. Needs a running sidecar; shows when it ends, and continues when it is back.',
    )
    .addOption(
      new Option('--sort <order>', 'what to sort by at the beginning [default: rate]').choices(Object.keys(ORDERS)),
    )
    .option('--reverse', 'reverse the order')
    .option('--filter <text>', 'only clients whose name or an address contains this text')
    .option('--once', 'print all of it once, with the rates of a few seconds, and exit');
  addSettingFlags(command, { takes: ['controlSocket'] })
    .option(
      '--json',
      'print {at, ready, problems, datapath, uplink, clients, gateways, fallThrough}, rates in bytes per second; without --once, a line for each look, one a second',
    )
    .addHelpText('after', `${keysHelp()}${examplesHelp(EXAMPLES)}${exitCodesHelp('top')}`)
    .action(async () => finish(await topCommand(configInputOf(command, io), command.opts(), io)));
}

const EXAMPLES = [
  'gwmark top',
  'gwmark top --filter 10.8.0. --sort sent',
  'gwmark top --once',
  'gwmark top --once --json',
];

function keysHelp(): string {
  return `\nKeys:\n${TOP_KEYS.map(([keys, meaning]) => `  ${keys.padEnd(26)}  ${meaning}\n`).join('')}`;
}

async function topCommand(input: ConfigInput, flags: Readonly<Record<string, unknown>>, io: CliIo): Promise<ExitCode> {
  const state = beginTop(
    // Commander has checked that it is one of them.
    (flags['sort'] as Order | undefined) ?? 'rate',
    flags['reverse'] === true,
    typeof flags['filter'] === 'string' ? flags['filter'] : '',
  );
  const asJson = flags['json'] === true;
  const isOnce = flags['once'] === true;
  if (!asJson && !isOnce && io.stdout.isTTY !== true)
    throw new GwmarkError('NO_TERMINAL', '"gwmark top" needs a terminal: use --once, or --json');
  const socket = await readControlSocket(input);
  using ending = new Ending(io);
  if (isOnce) await printOnce(socket, state, asJson, io, ending.signal);
  else if (asJson) await printLines(socket, state, io, ending.signal);
  else await show(socket, state, io, ending);
  return 0;
}

async function show(socket: string, begin: TopState, io: CliIo, ending: Ending): Promise<void> {
  const measure = new Measure();
  let state = begin;
  let measured: Measured | null = null;
  let fault: string | null = null;
  let extent = { pages: { clients: 0, gateways: 0 }, counts: { clients: 0, gateways: 0 } };
  const looks = followLive(socket, ending.signal);
  // The terminal is left alone until there is something to show.
  const first = await looks.next();
  if (first.done === true) return;
  if (first.value.kind === 'look') measured = measure.take(first.value.look);

  let nowMs = io.now();
  const draw = (): void => {
    if (measured === null) return;
    if (!state.isPaused) nowMs = io.now();
    const drawn = topScreen(measured, state, screen, { hasColours: hasColours(io.stdout, io.env), nowMs, fault });
    extent = drawn.extent;
    screen.draw(drawn.lines);
  };
  using screen = new Screen(io, {
    onChanged: draw,
    onKey: (key) => {
      // Letters of a filter are no commands; ^C and ^Z always are.
      if ((!state.isTyping || key.isCtrl) && takeKey(key, ending, screen)) return;
      state = afterKey(state, key, extent);
      draw();
    },
  });
  draw();
  for await (const live of looks) {
    fault = live.kind === 'lost' ? live.reason : null;
    // A pause stops the picture, never the counting.
    const now = live.kind === 'look' ? measure.take(live.look) : measured;
    if (!state.isPaused) measured = now;
    draw();
  }
}

async function printOnce(
  socket: string,
  state: TopState,
  asJson: boolean,
  io: CliIo,
  signal: AbortSignal,
): Promise<void> {
  const measure = new Measure();
  let measured: Measured | null = null;
  const startedMs = performance.now();
  for await (const live of followLive(socket, signal)) {
    if (live.kind === 'lost') throw new GwmarkError('CONTROL_UNREACHABLE', live.reason);
    const isFirst = measured === null;
    measured = measure.take(live.look);
    const isKnown = measured.clients.every(({ client, rate }) => client.traffic === undefined || rate.sent !== null);
    if (!isFirst && (isKnown || performance.now() - startedMs > LONGEST_ONCE_MS)) break;
  }
  if (measured === null) return;
  io.stdout.write(
    asJson
      ? `${JSON.stringify(topJson(measured, state), undefined, 2)}\n`
      : topText(measured, state, hasColours(io.stdout, io.env), io.now()),
  );
}

async function printLines(socket: string, state: TopState, io: CliIo, signal: AbortSignal): Promise<void> {
  const measure = new Measure();
  for await (const live of followLive(socket, signal)) {
    if (live.kind === 'lost') {
      io.stderr.write(`gwmark: ${live.reason}\n`);
      continue;
    }
    const text = `${JSON.stringify(topJson(measure.take(live.look), state))}\n`;
    // Waits until it was read; a reader that closes early (`head`) ends it.
    if (!(await new Promise<boolean>((resolve) => io.stdout.write(text, (error) => resolve(error == null))))) return;
  }
}

/** What `--json` prints: the members of the status document, with rates, in the order of the table. */
function topJson(measured: Measured, { order, isReversed, filters }: TopState): unknown {
  const { atMs, document, reasons } = measured;
  const { ready, problems, datapath, uplink } = document;
  return {
    at: new Date(atMs).toISOString(),
    ready,
    problems,
    datapath,
    uplink,
    clients: sortedClients(measured.clients, order, isReversed, filters.clients).map(({ client, rate }) => ({
      ...client,
      receivedPerSecond: rate.received,
      sentPerSecond: rate.sent,
    })),
    gateways: sortedGateways(measured.gateways, order, isReversed, filters.gateways).map(({ gateway, rate }) => ({
      ...gateway,
      receivedPerSecond: rate.received,
      sentPerSecond: rate.sent,
    })),
    fallThrough: reasons,
  };
}
