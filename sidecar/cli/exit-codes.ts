import type { ExitCode } from '../errors.js';

interface ExitCodeDescription {
  readonly code: ExitCode;
  readonly meaning: string;
  /** What it means for single commands. */
  readonly cases: readonly string[];
}

/** What `gwmark` exits with. `docs/reference/exit-codes.md` and the help come from this table. */
export const EXIT_CODES: readonly ExitCodeDescription[] = [
  {
    code: 0,
    meaning: 'Success.',
    cases: [
      '`run`: stopped cleanly by a signal',
      '`status`: the sidecar is ready',
      '`check`: the configuration is valid',
      '`doctor`: no warnings and no errors',
      "`trace`: replies of the flow go to the router's MAC address",
    ],
  },
  {
    code: 1,
    meaning: 'The command failed, or the state that it reports is unhealthy.',
    cases: [
      'missing privileges, no sidecar at the control socket, or the kernel rejected a change',
      '`move`: no such gateway',
      '`status`: the sidecar is not ready',
      '`run`: also after a second SIGTERM or SIGINT',
      '`doctor`: errors',
      "`trace`: replies of the flow do not go to the router's MAC address",
    ],
  },
  {
    code: 2,
    meaning: 'Invalid command line or configuration; nothing was changed.',
    cases: [],
  },
  {
    code: 3,
    meaning: 'Warnings only.',
    cases: ['`doctor`: warnings, and no errors'],
  },
];
