import type { Command } from 'commander';

import { type ConfigInput, loadControlSocket } from '../config/load.js';
import { formatProblems } from '../config/problem.js';
import { orderMove } from '../control/client.js';
import { MOVE_ORDER_EXPECTED, parseMoveOrder } from '../control/move-order.js';
import { type ExitCode, GwmarkError } from '../errors.js';
import { examplesHelp, exitCodesHelp } from './help.js';
import type { CliIo } from './io.js';
import { addSettingFlags, configInputOf } from './setting-flags.js';

/** Adds `gwmark move`. */
export function addMove(program: Command, io: CliIo, finish: (code: ExitCode) => void): void {
  const command = program
    .command('move')
    .summary('send answers of a gateway to another MAC address')
    .description(
      'Tell the running sidecar that answers of the gateway at OLD go to NEW from now on, whatever ARP, neighbour discovery or frames say, until the gateway is gone or another "move" is given. All its flows follow at once. NEW the same as OLD ends that.\nFor senders that do not receive (some teamed cards of Hyper-V), and for the scripts of a VRRP daemon. Needs root.',
    )
    .argument('<DEVICE>', 'the device on which the gateway is known')
    .argument('<OLD>', 'the MAC address that its frames have')
    .argument('<NEW>', 'the MAC address that answers go to');
  addSettingFlags(command, ['controlSocket'])
    .option('--json', 'print {device, from, to}')
    .addHelpText(
      'after',
      `${examplesHelp(['gwmark move lan0 02:00:00:00:01:01 02:00:00:00:01:02', 'gwmark move lan0 02:00:00:00:01:01 02:00:00:00:01:01'])}${exitCodesHelp()}`,
    )
    .action(async (device: string, from: string, to: string) =>
      finish(await moveCommand({ device, from, to }, configInputOf(command, io), command.opts()['json'] === true, io)),
    );
}

async function moveCommand(
  words: { readonly device: string; readonly from: string; readonly to: string },
  input: ConfigInput,
  asJson: boolean,
  io: CliIo,
): Promise<ExitCode> {
  const order = parseMoveOrder(words);
  if (order === null)
    throw new GwmarkError(
      'USAGE',
      `move ${Object.values(words).join(' ')}: expected ${MOVE_ORDER_EXPECTED}\nsee "gwmark move --help"`,
    );
  const socket = await loadControlSocket(input);
  if (!socket.ok)
    throw new GwmarkError('CONFIG_INVALID', formatProblems(socket.problems), {
      context: { problems: socket.problems },
    });
  await orderMove(socket.path, order);
  const { device, from, to } = order;
  io.stdout.write(
    asJson
      ? `${JSON.stringify(order, undefined, 2)}\n`
      : from === to
        ? `answers of ${from} on ${device} go to itself\n`
        : `answers of ${from} on ${device} go to ${to}\n`,
  );
  return 0;
}
