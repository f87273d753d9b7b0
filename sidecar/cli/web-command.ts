import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';

import type { Command } from 'commander';
import { formatEndpoint, parsePlace, type Place, PLACE_EXPECTED } from 'openvpn-management-client/endpoint';

import type { ConfigInput } from '../config/load.js';
import { showValue } from '../config/problem.js';
import { type ExitCode, GwmarkError } from '../errors.js';
import { printable } from '../log/printable.js';
import type { CommandContext } from './command.js';
import { readConfiguration } from './configuration.js';
import { examplesHelp, exitCodesHelp } from './help.js';
import { Ending } from './live-status.js';
import { hasNetAdmin } from './privilege.js';
import { addSettingFlags, configInputOf } from './setting-flags.js';

const DEFAULT_LISTEN = 'tcp:127.0.0.1:8119';
/** Bytes; printed as twice as many hexadecimal digits. */
const TOKEN_BYTES = 16;
const MIN_TOKEN = 16;

/** `gwmark web` */
export function defineWeb(command: Command, context: CommandContext): void {
  command
    .description(
      'Serve a page that shows routers, clients and flows live, for browsers; until a signal ends it. Prints the address to open, which has the token. The page only reads.\nListens on loopback. For others, put a proxy with TLS in front, or use "ssh -L 8119:127.0.0.1:8119". Flows, the doctor and traces need CAP_NET_ADMIN and the network namespace of the sidecar.',
    )
    .option('--listen <place>', `where to listen: unix:/path or tcp:host:port [default: ${DEFAULT_LISTEN}]`)
    .option('--token-file <path>', 'a file whose one line is the token, 16 characters or more [default: a new token]')
    .option(
      '--allow-host <name>',
      'a name by which browsers may call the server, besides localhost; may be repeated',
      (name: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), name],
    );
  addSettingFlags(command)
    .addHelpText('after', `${examplesHelp(EXAMPLES)}${exitCodesHelp('web')}`)
    .action(async () => context.finish(await webCommand(configInputOf(command, context.io), command.opts(), context)));
}

const EXAMPLES = [
  'gwmark web',
  'gwmark web --listen unix:/run/gwmark/web.sock --token-file /etc/gwmark/web-token',
  'gwmark web --listen tcp:192.0.2.10:8119 --token-file /etc/gwmark/web-token --allow-host vpn.example.net',
];

async function webCommand(
  input: ConfigInput,
  flags: Readonly<Record<string, unknown>>,
  { io, commands }: CommandContext,
): Promise<ExitCode> {
  const place = parseListen(typeof flags['listen'] === 'string' ? flags['listen'] : DEFAULT_LISTEN);
  const tokenFile = typeof flags['tokenFile'] === 'string' ? flags['tokenFile'] : null;
  if (tokenFile === null && place.kind === 'tcp' && !isLoopback(place.host))
    throw new GwmarkError(
      'USAGE',
      `--listen ${formatEndpoint(place)}: other machines can reach it; expected --token-file beside it, or an address of loopback`,
    );
  const token = tokenFile === null ? randomBytes(TOKEN_BYTES).toString('hex') : await readToken(tokenFile);
  const { settings } = await readConfiguration(input, { endpoints: false });
  const procStatus = await io.readProcStatus();
  using ending = new Ending(io);
  // Commander collects them.
  const allowed = (flags['allowHost'] as readonly string[] | undefined) ?? [];
  await commands.serveWeb(
    {
      address: place,
      access: { token, hosts: place.kind === 'unix' ? null : allowed.map((name) => name.toLowerCase()) },
      controlSocket: settings.controlSocket,
      openFlows: () => commands.openFlows(settings),
      diagnose: () =>
        commands.diagnose({
          settings,
          hasNetAdmin: procStatus === undefined || hasNetAdmin(procStatus) !== false,
          nowMs: io.now(),
        }),
      trace: (query) => commands.trace(settings, query),
      onFault: (url, error) => {
        const reason = error instanceof Error ? error.message : String(error);
        io.stderr.write(`gwmark: ${printable(`${url}: ${reason}`)}\n`);
      },
    },
    () => void io.stdout.write(`${announce(place, token, tokenFile)}\n`),
    ending.signal,
  );
  return 0;
}

/** What to open; a token that the user has in a file is not printed. */
function announce(place: Place, token: string, tokenFile: string | null): string {
  if (place.kind === 'unix')
    return `serving on ${place.path}, for a proxy${tokenFile === null ? `; open its address with #token=${token}` : ''}`;
  const host = isIP(place.host) === 6 ? `[${place.host}]` : place.host;
  return `open http://${host}:${place.port}/#token=${tokenFile === null ? token : `(the line of ${tokenFile})`}`;
}

function parseListen(text: string): Place {
  const place = parsePlace(text);
  if (place === undefined) throw new GwmarkError('USAGE', `--listen ${showValue(text)}: expected ${PLACE_EXPECTED}`);
  return place;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** @throws GwmarkError USAGE for a file that cannot be read, that others can read, and for a token that is too short */
async function readToken(file: string): Promise<string> {
  const [text, mode] = await Promise.all([readFile(file, 'utf8'), stat(file).then((found) => found.mode)]).catch(
    (error: unknown) => {
      throw new GwmarkError(
        'USAGE',
        `--token-file ${file}: ${error instanceof Error ? error.message : String(error)}`,
      );
    },
  );
  if ((mode & 0o007) !== 0)
    throw new GwmarkError('USAGE', `--token-file ${file}: every user can read it; expected mode 0640 or less`);
  const token = text.replace(/\r?\n$/, '');
  if (token.length < MIN_TOKEN || !/^[\x21-\x7e]+$/.test(token))
    throw new GwmarkError(
      'USAGE',
      `--token-file ${file}: expected one line of ${MIN_TOKEN} printable ASCII characters or more, without blanks`,
    );
  return token;
}
