import assert from 'node:assert/strict';

import type { Namespace } from './namespace.js';
import { PROGRAM } from './sidecar.js';

/** One row of `gwmark doctor --json`. */
export interface DoctorFinding {
  readonly check: string;
  readonly severity: 'ok' | 'info' | 'warn' | 'error';
  readonly subject: string;
  readonly found: string;
  readonly expected: string;
  readonly remedy: string | null;
}

/** What the doctor said, and how it exited. */
export interface DoctorReport {
  readonly code: number;
  readonly worst: string;
  readonly findings: readonly DoctorFinding[];
}

/** How a doctor is run. */
export interface DoctorOptions {
  readonly flags?: readonly string[];
  /** Words before the interpreter: another user, another environment. */
  readonly prefix?: readonly string[];
}

/** Runs `gwmark doctor --json` in a namespace. Fails when it breaks rather than reports. */
export async function runDoctor(
  namespace: Namespace,
  { flags = [], prefix = [] }: DoctorOptions = {},
): Promise<DoctorReport> {
  const { code, stdout, stderr } = await namespace.tryRun(
    [...prefix, process.execPath, PROGRAM, 'doctor', '--json', ...flags],
    { timeoutMs: 40_000 },
  );
  assert.ok(stdout.startsWith('{'), `exit code ${code}: ${stderr}${stdout}`);
  // Printed by the program under test; the tests look at the fields.
  const { worst, findings } = JSON.parse(stdout) as { worst: string; findings: readonly DoctorFinding[] };
  return { code, worst, findings };
}

/**
 * Fails unless a check found something of that severity that matches, with a remedy, and the exit code tells of it.
 */
export function assertFound(
  report: DoctorReport,
  check: string,
  severity: DoctorFinding['severity'],
  found: RegExp,
): DoctorFinding {
  const finding = report.findings.find(
    (candidate) =>
      candidate.check === check &&
      candidate.severity === severity &&
      found.test(`${candidate.subject}: ${candidate.found}`),
  );
  assert.ok(
    finding,
    `${check} ${severity} ${String(found)} in ${JSON.stringify(
      report.findings.filter((candidate) => candidate.check === check || candidate.severity === 'error'),
      undefined,
      1,
    )}`,
  );
  if (severity === 'error') assert.equal(report.code, 1);
  if (severity === 'warn')
    assert.ok(
      report.code === 3 || report.findings.some((other) => other.severity === 'error'),
      `exit code ${report.code}`,
    );
  if (severity === 'warn' || severity === 'error') assert.ok(finding.remedy, 'says how to fix it');
  return finding;
}

/** Fails unless nothing is worse than info. */
export function assertClean(report: DoctorReport): void {
  assert.deepEqual(
    report.findings.filter(({ severity }) => severity === 'warn' || severity === 'error'),
    [],
  );
  assert.equal(report.code, 0);
}
