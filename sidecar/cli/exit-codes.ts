import type { ExitCode } from '../errors.js';

/** What `gwmark` exits with, whichever command. `docs/reference/exit-codes.md` and the help come from these tables. */
export const EXIT_CODES: Readonly<Record<ExitCode, string>> = {
  0: 'Success.',
  1: 'The command failed, or the state that it reports is unhealthy.',
  2: 'Invalid command line or configuration; nothing was changed.',
  3: 'Warnings only.',
};

export type CommandName = keyof typeof COMMAND_EXIT_CODES;

const NO_SIDECAR = 'no sidecar answers at the control socket';

/** When each command exits with which code. Every command exits with 2 as {@link EXIT_CODES} says. */
export const COMMAND_EXIT_CODES = {
  run: {
    0: 'stopped cleanly by SIGTERM or SIGINT',
    1: 'could not start or continue (the log says why), or a second signal ended it',
  },
  status: { 0: 'the sidecar is ready', 1: `the sidecar is not ready, or ${NO_SIDECAR}` },
  clients: { 0: 'success', 1: NO_SIDECAR },
  gateways: { 0: 'success', 1: NO_SIDECAR },
  top: { 0: 'printed, or ended by q or a signal', 1: `the output is no terminal, or ${NO_SIDECAR}` },
  web: { 0: 'ended by a signal', 1: 'it cannot listen there' },
  flows: { 0: 'success', 1: 'nothing of gwmark is in this network namespace, or the kernel does not list its flows' },
  kick: {
    0: 'the client is out: its rules and connections are removed, and OpenVPN ends it',
    1: `no such client, or several; none was kicked; or ${NO_SIDECAR}`,
    3: 'the client is kicked, but OpenVPN or the kernel has not confirmed it yet; the sidecar continues',
  },
  move: { 0: 'replies go to NEW', 1: `no gateway is known at OLD, or ${NO_SIDECAR}` },
  forget: { 0: 'the gateway is forgotten', 1: `no gateway is known at MAC, or ${NO_SIDECAR}` },
  check: { 0: 'the configuration is valid' },
  doctor: {
    0: 'no warnings and no errors',
    1: 'errors',
    3: 'warnings, and no errors',
  },
  trace: {
    0: "replies of the flow go to the router's MAC address",
    1: 'replies of the flow do not go there, or the kernel cannot be read',
  },
  down: {
    0: 'everything of gwmark is removed, or nothing was there',
    1: 'a sidecar is running, CAP_NET_ADMIN is missing, or the kernel rejected a change',
  },
  completion: { 0: 'success' },
} as const satisfies Readonly<Record<string, Readonly<Partial<Record<ExitCode, string>>>>>;

/** A code and when the command exits with it, in the order of the codes. */
export function exitCodesOf(command: CommandName): readonly (readonly [code: string, meaning: string])[] {
  return Object.entries({ ...COMMAND_EXIT_CODES[command], 2: 'invalid command line or configuration' });
}
