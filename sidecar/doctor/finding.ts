/** The severity of a finding, the best first. */
export const SEVERITIES = ['ok', 'info', 'warn', 'error'] as const;

/**
 * ok: as expected. info: worth knowing, nothing is wrong. warn: works, but not always or not as well as it could.
 * error: does not work, or will not.
 */
export type Severity = (typeof SEVERITIES)[number];

/** What a check found about one thing. */
export interface Judgement {
  readonly severity: Severity;
  /** The thing: a sysctl, a device, a socket, an option. */
  readonly subject: string;
  readonly found: string;
  readonly expected: string;
  /** The fix; null if there is nothing to fix. */
  readonly remedy: string | null;
}

/** One row of `gwmark doctor`. */
export interface Finding extends Judgement {
  /** Name of the check, stable; `docs/reference/doctor.md` lists them. */
  readonly check: string;
}

/** A thing that is as expected. */
export function fine(subject: string, found: string, expected = found): Judgement {
  return { severity: 'ok', subject, found, expected, remedy: null };
}

/** The worst of some severities; `ok` for none. */
export function worstOf(severities: Iterable<Severity>): Severity {
  let worst = 0;
  for (const severity of severities) worst = Math.max(worst, SEVERITIES.indexOf(severity));
  return SEVERITIES[worst] ?? 'ok';
}
