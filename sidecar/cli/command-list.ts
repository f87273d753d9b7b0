import type { DefineCommand } from './command.js';
import type { CommandName } from './exit-codes.js';

/** What `gwmark --help` says about a command, and where the rest of it is. */
export interface ListedCommand {
  readonly summary: string;
  /** As the usage line has them: `<SRC> <DST>`. Default: none. */
  readonly operands?: string;
  /** Imports the file of the command, on demand: no command pays for what another one needs. */
  load(): Promise<DefineCommand>;
}

/** All commands, in the order of `gwmark --help`. A new command is one file, one row here and one of `exit-codes.ts`. */
export const COMMAND_LIST: Readonly<Record<CommandName, ListedCommand>> = {
  run: {
    summary: 'run the sidecar in the foreground',
    load: async () => (await import('./run-command.js')).defineRun,
  },
  status: {
    summary: 'show the state of the running sidecar',
    load: async () => (await import('./status-commands.js')).defineStatus,
  },
  clients: {
    summary: 'list the connected clients',
    load: async () => (await import('./status-commands.js')).defineClients,
  },
  gateways: {
    summary: 'list the known gateways',
    load: async () => (await import('./status-commands.js')).defineGateways,
  },
  top: {
    summary: 'show clients, gateways and rates, live',
    load: async () => (await import('./top/top-command.js')).defineTop,
  },
  web: {
    summary: 'serve a live page for browsers',
    load: async () => (await import('./web-command.js')).defineWeb,
  },
  flows: {
    summary: 'list the flows that have a gateway',
    load: async () => (await import('./flows-command.js')).defineFlows,
  },
  kick: {
    summary: 'disconnect a client, and keep it out for a while',
    operands: '<CLIENT>',
    load: async () => (await import('./kick-command.js')).defineKick,
  },
  move: {
    summary: "send a gateway's replies to another MAC address",
    operands: '<DEVICE> <OLD> <NEW>',
    load: async () => (await import('./move-command.js')).defineMove,
  },
  forget: {
    summary: 'forget a gateway until it sends again',
    operands: '<DEVICE> <MAC>',
    load: async () => (await import('./forget-command.js')).defineForget,
  },
  check: {
    summary: 'check the configuration',
    load: async () => (await import('./check-command.js')).defineCheck,
  },
  doctor: {
    summary: 'find problems and say how to fix them',
    load: async () => (await import('./doctor-command.js')).defineDoctor,
  },
  trace: {
    summary: "explain where a flow's replies go, and why",
    operands: '<SRC> <DST>',
    load: async () => (await import('./trace-command.js')).defineTrace,
  },
  down: {
    summary: 'remove everything from the kernel',
    load: async () => (await import('./down-command.js')).defineDown,
  },
  completion: {
    summary: 'print completion for a shell',
    operands: '<SHELL>',
    load: async () => (await import('./manual/completion-command.js')).defineCompletion,
  },
};
