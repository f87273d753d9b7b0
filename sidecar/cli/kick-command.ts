import type { Command } from 'commander';

import type { ConfigInput } from '../config/load.js';
import { showValue } from '../config/problem.js';
import { orderKick, orderRelease } from '../control/client.js';
import { isMessage, type KickReport, MAX_HOLD_SECONDS, MESSAGE_EXPECTED } from '../control/kick-order.js';
import { type ExitCode, GwmarkError } from '../errors.js';
import { printable } from '../log/printable.js';
import type { CommandContext } from './command.js';
import { readControlSocket } from './configuration.js';
import { DURATION_EXPECTED, formatDuration, parseDuration } from './duration.js';
import { examplesHelp, exitCodesHelp } from './help.js';
import type { CliIo } from './io.js';
import { addSettingFlags, configInputOf } from './setting-flags.js';

/** The flags as commander gives them. */
interface KickFlags {
  readonly server?: string;
  readonly message?: string;
  readonly halt?: boolean;
  readonly hold?: string;
  readonly release?: boolean;
  readonly all?: boolean;
  readonly json?: boolean;
}

/** `gwmark kick` */
export function defineKick(command: Command, { io, finish }: CommandContext): void {
  command
    .description(
      'Disconnect a client: remove its rules and its connections at once, then tell OpenVPN to end it, within five seconds. A client connects again by itself, unless --hold or --halt prevents it.\nCLIENT is a common name, an address in the tunnel, a real address with or without a port, or a CID (7, cid:7), see "gwmark clients". Needs root and a running sidecar.',
    )
    .argument('<CLIENT>', 'common name, address or CID')
    .option('--server <openvpn>', 'only clients of this OpenVPN: its management endpoint or tunnel device')
    .option('--all', 'every client that CLIENT means, not only a single one')
    .option('--message <text>', 'a text that the client shows or logs')
    .option('--halt', 'end the OpenVPN of the client, instead of letting it connect again')
    .option('--hold <time>', 'keep the client out so long, by its common name: 60s, 10m, 2h, 1d at most')
    .option('--release', 'let a client in again that is kept out; disconnects nobody');
  addSettingFlags(command, { takes: ['controlSocket'] })
    .option('--json', 'print {clients: [{management, cid, ..., openvpn, reason}], areRulesRemoved, heldUntil}')
    .addHelpText(
      'after',
      `${examplesHelp([
        'gwmark kick alice',
        'gwmark kick 10.8.0.2 --message "maintenance, back at noon" --hold 30m',
        'gwmark kick cid:7 --server tun1 --halt',
        'gwmark kick alice --release',
      ])}${exitCodesHelp('kick')}`,
    )
    .action(async (client: string) =>
      finish(await kickCommand(client, command.opts<KickFlags>(), configInputOf(command, io), io)),
    );
}

async function kickCommand(client: string, flags: KickFlags, input: ConfigInput, io: CliIo): Promise<ExitCode> {
  const { server = null, message = null } = flags;
  const holdSeconds = check(client, flags);
  const socket = await readControlSocket(input);
  if (flags.release === true) {
    await orderRelease(socket, { client, server });
    io.stdout.write(
      flags.json === true
        ? `${JSON.stringify({ released: client }, undefined, 2)}\n`
        : `${printable(client)} may connect again\n`,
    );
    return 0;
  }
  const order = { client, server, isAll: flags.all === true, message, isHalt: flags.halt === true, holdSeconds };
  const report = await orderKick(socket, order);
  io.stdout.write(flags.json === true ? `${JSON.stringify(report, undefined, 2)}\n` : describe(report, holdSeconds));
  const missing = missingIn(report);
  for (const line of missing) io.stderr.write(`gwmark: ${printable(line)}\n`);
  return missing.length === 0 ? 0 : 3;
}

/** @returns the seconds of `--hold`, null without it. @throws GwmarkError USAGE */
function check(client: string, { message, hold, halt, all, release }: KickFlags): number | null {
  if (client === '') throw usage('CLIENT is empty');
  if (message !== undefined && !isMessage(message))
    throw usage(`--message ${showValue(message)}: expected ${MESSAGE_EXPECTED}`);
  if (release === true && (message !== undefined || hold !== undefined || halt === true || all === true))
    throw usage('--release disconnects nobody: give it without --message, --hold, --halt and --all');
  if (hold === undefined) return null;
  const seconds = parseDuration(hold);
  if (seconds === null || seconds < 1 || seconds > MAX_HOLD_SECONDS)
    throw usage(`--hold ${showValue(hold)}: expected ${DURATION_EXPECTED}, from 1s to 1d`);
  return seconds;
}

function usage(text: string): GwmarkError {
  return new GwmarkError('USAGE', `kick: ${text}\nsee "gwmark kick --help"`);
}

function describe({ clients, heldUntil }: KickReport, holdSeconds: number | null): string {
  const lines = clients.map(
    ({ commonName, addresses, cid, management, openvpn }) =>
      `kicked ${commonName} (${addresses.join(' ')}), CID ${cid} at ${management}${openvpn === 'gone' ? '; it had just left' : ''}`,
  );
  if (heldUntil !== null && holdSeconds !== null) {
    const names = [...new Set(clients.map(({ commonName }) => commonName))].join(', ');
    lines.push(`${names} is kept out for ${formatDuration(holdSeconds * 1000)}, until ${heldUntil}`);
  }
  return lines.map((line) => `${printable(line)}\n`).join('');
}

/** What has not happened yet, in sentences. */
function missingIn({ clients, areRulesRemoved }: KickReport): readonly string[] {
  return [
    ...(areRulesRemoved
      ? []
      : ['the kernel has not removed the rules yet; the sidecar continues, see "gwmark status"']),
    ...clients.flatMap(({ commonName, cid, openvpn, reason }) =>
      openvpn === 'untold'
        ? [`OpenVPN has not ended ${commonName}, CID ${cid}: ${reason}; the sidecar tells it again`]
        : [],
    ),
  ];
}
