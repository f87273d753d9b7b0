/** IptablesFirewall on each flavour of the real kernel. */
import { execFileSync } from 'node:child_process';
import type { Command, Flavour } from 'iptables-wrapper';
import { openIpset, openIptables } from 'iptables-wrapper';
import { clear, environment, hasSetType, LOCK_FILE, program, testableFlavours } from '../iptables-wrapper/kernel.js';
import { describeIptablesFirewall } from './iptables-suite.js';

const hasMacSets = hasSetType('hash:mac');

for (const flavour of await testableFlavours()) {
  describeIptablesFirewall(flavour, {
    async open() {
      clear(flavour);
      return {
        iptables: await openIptables({ prefix: 'gwmark-', flavour, lockFile: LOCK_FILE }),
        ipset: await openIpset(),
        hasMacSets,
      };
    },
    disturb(_tools, commands) {
      for (const command of commands) shell(flavour, command);
    },
    runs: 2,
  });
}

/** Does what another program would, by the plain program. */
function shell(flavour: Flavour, command: Command): void {
  const run = (family: 4 | 6, ...words: readonly string[]): void => {
    execFileSync(program(flavour, family), ['-w', '5', '-t', 'mangle', ...words], { env: environment() });
  };
  if ('append' in command) run(command.append.family, '-A', command.append.chain, ...command.append.rule);
  else if ('insert' in command) run(command.insert.family, '-I', command.insert.chain, ...command.insert.rule);
  else if ('replace' in command) run(command.replace.family, '-F', command.replace.chain);
  else if ('unjump' in command) run(command.unjump.family, '-D', command.unjump.chain, '-j', command.unjump.target);
  else if ('destroy' in command) {
    run(command.destroy.family, '-F', command.destroy.chain);
    run(command.destroy.family, '-X', command.destroy.chain);
  } else throw new Error(`no such disturbance: ${JSON.stringify(command)}`);
}
