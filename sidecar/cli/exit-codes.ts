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
    meaning: 'The command did what it says.',
    cases: [
      '`run`: it was stopped by a signal, in order',
      '`status`: the sidecar is ready',
      '`check`: the configuration is valid',
      '`doctor`: nothing worse than info was found',
      '`trace`: answers of the flow go by MAC',
    ],
  },
  {
    code: 1,
    meaning: 'The command failed, or the state that it reports is unhealthy.',
    cases: [
      'no privilege, no sidecar at the control socket, the kernel refused',
      '`move`: no such gateway',
      '`status`: the sidecar is not ready',
      '`run`: also after a second SIGTERM or SIGINT',
      '`doctor`: an error was found',
      '`trace`: answers of the flow do not go by MAC',
    ],
  },
  {
    code: 2,
    meaning: 'The command line or the configuration is at fault; nothing was changed.',
    cases: [],
  },
  {
    code: 3,
    meaning: 'Warnings only.',
    cases: ['`doctor`: warnings were found, and no error'],
  },
];
