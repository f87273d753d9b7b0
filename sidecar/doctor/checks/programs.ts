import { exec } from '../../system/exec.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

/** A version as numbers, the most significant first. */
type Version = readonly [number, number, number];

interface Program {
  readonly name: string;
  readonly versionFlag: string;
  readonly least: Version;
  readonly package: string;
  /** What is lost without it; null if nothing works then. */
  readonly lost: string | null;
}

/** Debian 11 has the oldest of what is tested: iproute2 5.10. conntrack reads commands from a file since 1.4.7. */
const PROGRAMS: readonly Program[] = [
  { name: 'ip', versionFlag: '-V', least: [5, 10, 0], package: 'iproute2', lost: null },
  {
    name: 'conntrack',
    versionFlag: '--version',
    least: [1, 4, 7],
    package: 'conntrack',
    lost: 'gwmark does not end the flows of clients that left',
  },
];

/** `wg show INTERFACE dump` is as old as the package. */
const WG: Program = { name: 'wg', versionFlag: '--version', least: [1, 0, 0], package: 'wireguard-tools', lost: null };

/** The programs that the sidecar runs: there, and new enough. */
export const programs: Check = {
  name: 'programs',
  doc: 'The programs that the sidecar runs are installed and new enough: `ip` of iproute2, `conntrack`; with `wireguard`, `wg`.',
  needsNetAdmin: false,
  look: ({ settings }) =>
    Promise.all(
      [...PROGRAMS, ...(settings.wireguard.interfaces.length > 0 ? [WG] : [])].map(async (program) => {
        const output = await exec(program.name, [program.versionFlag]).then(
          ({ stdout, stderr }) => stdout + stderr,
          () => null,
        );
        return judgeProgram(program, output);
      }),
    ),
};

/** @param output what the program printed; null when it could not be started */
export function judgeProgram(program: Program, output: string | null): Judgement {
  const subject = `program ${program.name}`;
  const expected = `${program.least.join('.').replace(/\.0$/, '')} or later`;
  const severity = program.lost === null ? 'error' : 'warn';
  const remedy = `install the package ${program.package}${program.lost === null ? '' : `; without it ${program.lost}`}`;
  if (output === null) return { severity, subject, found: 'missing', expected, remedy };
  const version = parseVersion(output);
  if (version === null) return { severity: 'info', subject, found: 'of an unknown version', expected, remedy: null };
  return isAtLeast(version, program.least)
    ? fine(subject, version.join('.'), expected)
    : { severity, subject, found: version.join('.'), expected, remedy };
}

/**
 * The first version number in a text: `ip utility, iproute2-6.1.0` -> 6.1.0; an old iproute2 has a date (`ss200127`)
 * for one, which is null.
 */
export function parseVersion(text: string): Version | null {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return match === null ? null : [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
}

export function isAtLeast(version: Version, least: Version): boolean {
  const difference = version.map((part, index) => part - (least[index] ?? 0)).find((part) => part !== 0);
  return difference === undefined || difference > 0;
}
