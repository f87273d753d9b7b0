import type { Command } from 'commander';

import type { ConfigInput } from '../config/load.js';
import { type Severity, worstOf } from '../doctor/finding.js';
import type { ExitCode } from '../errors.js';
import type { CommandContext } from './command.js';
import type { Commands } from './commands.js';
import { readConfiguration } from './configuration.js';
import { doctorView } from './doctor-view.js';
import { environmentHelp, examplesHelp, exitCodesHelp } from './help.js';
import { type CliIo, hasColours } from './io.js';
import { hasNetAdmin } from './privilege.js';
import { addSettingFlags, configInputOf } from './setting-flags.js';

const EXIT_BY_SEVERITY: Readonly<Record<Severity, ExitCode>> = { ok: 0, info: 0, warn: 3, error: 1 };

/** `gwmark doctor` */
export function defineDoctor(command: Command, { io, commands, finish }: CommandContext): void {
  command.description(
    'Check the kernel, the network, the firewall, OpenVPN and the sidecar; print what was found, what was expected and how to fix it.\nUses the same settings as "run". Changes nothing, and never connects to a management interface that is in use. Without root, some checks are skipped.',
  );
  addSettingFlags(command)
    .option('--json', 'print {worst, findings: [{check, severity, subject, found, expected, remedy}]}')
    .addHelpText(
      'after',
      `${examplesHelp(['gwmark doctor', 'gwmark doctor --config /etc/gwmark/gwmark.yaml', 'gwmark doctor --json'])}${environmentHelp()}${exitCodesHelp('doctor')}`,
    )
    .action(async () =>
      finish(await doctorCommand(configInputOf(command, io), command.opts()['json'] === true, io, commands)),
    );
}

async function doctorCommand(input: ConfigInput, asJson: boolean, io: CliIo, commands: Commands): Promise<ExitCode> {
  const { settings } = await readConfiguration(input, { endpoints: false });
  const status = await io.readProcStatus();
  const findings = await commands.diagnose({
    settings,
    hasNetAdmin: status === undefined || hasNetAdmin(status) !== false,
    nowMs: io.now(),
  });
  const worst = worstOf(findings.map(({ severity }) => severity));
  io.stdout.write(
    asJson
      ? `${JSON.stringify({ worst, findings }, undefined, 2)}\n`
      : doctorView(findings, hasColours(io.stdout, io.env)),
  );
  return EXIT_BY_SEVERITY[worst];
}
