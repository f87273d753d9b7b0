import type { Command } from 'commander';

import type { ConfigInput } from '../config/load.js';
import { orderMove } from '../control/client.js';
import { MOVE_ORDER_EXPECTED, parseMoveOrder } from '../control/move-order.js';
import { type ExitCode, GwmarkError } from '../errors.js';
import type { CommandContext } from './command.js';
import { readControlSocket } from './configuration.js';
import { examplesHelp, exitCodesHelp } from './help.js';
import type { CliIo } from './io.js';
import { addSettingFlags, configInputOf } from './setting-flags.js';

/** `gwmark move` */
export function defineMove(command: Command, { io, finish }: CommandContext): void {
  command
    .description(
      'Send the replies of the gateway at OLD to NEW, whatever ARP, neighbour discovery or frames say, until the gateway disappears or another "move". All its flows follow immediately. To undo it, give OLD twice.\nFor senders that do not receive (some teamed network cards on Hyper-V), and for the scripts of a VRRP daemon. Needs root and a running sidecar.',
    )
    .argument('<DEVICE>', 'the device on which the gateway is known')
    .argument('<OLD>', 'the source MAC address of its frames')
    .argument('<NEW>', 'the MAC address to send replies to');
  addSettingFlags(command, { takes: ['controlSocket'] })
    .option('--json', 'print {device, from, to}')
    .addHelpText(
      'after',
      `${examplesHelp(['gwmark move lan0 02:00:00:00:01:01 02:00:00:00:01:02', 'gwmark move lan0 02:00:00:00:01:01 02:00:00:00:01:01'])}${exitCodesHelp('move')}`,
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
  await orderMove(await readControlSocket(input), order);
  const { device, from, to } = order;
  io.stdout.write(
    asJson
      ? `${JSON.stringify(order, undefined, 2)}\n`
      : from === to
        ? `replies of ${from} on ${device} go to ${from} again\n`
        : `replies of ${from} on ${device} go to ${to}\n`,
  );
  return 0;
}
