import type { Command } from 'commander';

import type { ConfigInput } from '../config/load.js';
import { orderForget } from '../control/client.js';
import { FORGET_ORDER_EXPECTED, parseForgetOrder } from '../control/forget-order.js';
import { type ExitCode, GwmarkError } from '../errors.js';
import type { CommandContext } from './command.js';
import { readControlSocket } from './configuration.js';
import { examplesHelp, exitCodesHelp } from './help.js';
import type { CliIo } from './io.js';
import { addSettingFlags, configInputOf } from './setting-flags.js';

/** `gwmark forget` */
export function defineForget(command: Command, { io, finish }: CommandContext): void {
  command
    .description(
      'Forget the gateway at MAC: packets of its flows take the normal route, until a frame or an ARP or ND message of it makes it a gateway again.\nFor a router that is taken out of service, and for the scripts of a VRRP daemon. Needs root and a running sidecar.',
    )
    .argument('<DEVICE>', 'the device on which the gateway is known')
    .argument('<MAC>', 'the source MAC address of its frames');
  addSettingFlags(command, { takes: ['controlSocket'] })
    .option('--json', 'print {device, mac}')
    .addHelpText('after', `${examplesHelp(['gwmark forget lan0 02:00:00:00:01:01'])}${exitCodesHelp('forget')}`)
    .action(async (device: string, mac: string) =>
      finish(await forgetCommand({ device, mac }, configInputOf(command, io), command.opts()['json'] === true, io)),
    );
}

async function forgetCommand(
  words: { readonly device: string; readonly mac: string },
  input: ConfigInput,
  asJson: boolean,
  io: CliIo,
): Promise<ExitCode> {
  const order = parseForgetOrder(words);
  if (order === null)
    throw new GwmarkError(
      'USAGE',
      `forget ${Object.values(words).join(' ')}: expected ${FORGET_ORDER_EXPECTED}\nsee "gwmark forget --help"`,
    );
  await orderForget(await readControlSocket(input), order);
  io.stdout.write(
    asJson ? `${JSON.stringify(order, undefined, 2)}\n` : `${order.mac} on ${order.device} is forgotten\n`,
  );
  return 0;
}
