import { isInOurNamespace, parentOf, type ProcessInfo, readProcesses } from '../../discovery/processes.js';
import { describeElsewhere, type FoundSidecar } from '../../control/sidecar-here.js';
import { ERROR_CODES } from '../../errors.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

interface Facts {
  readonly controlSocket: string;
  readonly sidecar: FoundSidecar;
  /** Process ids of every `gwmark run` in this network namespace that are visible. */
  readonly pids: readonly number[];
}

/** One sidecar runs, and is ready. */
export const sidecars: Check = {
  name: 'sidecar',
  doc: 'The sidecar at the control socket is ready, and no second one runs in the same network namespace.',
  needsNetAdmin: false,
  look: async (system) => {
    const running = (await readProcesses()).filter(isSidecar);
    const numbers = new Set(running.map(({ pid }) => pid));
    // A sidecar that is about to start a program has a child that still looks like itself.
    const isOwn = async (pid: number): Promise<boolean> =>
      (await isInOurNamespace(pid)) && !numbers.has((await parentOf(pid)) ?? 0);
    const isOurs = await Promise.all(running.map(({ pid }) => isOwn(pid)));
    const pids = running.filter((_, index) => isOurs[index] === true).map(({ pid }) => pid);
    return judgeSidecars({ controlSocket: system.settings.controlSocket, sidecar: await system.sidecar(), pids });
  },
};

export function judgeSidecars({ controlSocket, sidecar, pids }: Facts): readonly Judgement[] {
  const subject = 'sidecar';
  const judgements: Judgement[] = [];
  if (pids.length > 1) {
    judgements.push({
      severity: 'warn',
      subject,
      found: `${pids.length} run in this network namespace (pid ${pids.join(', ')})`,
      expected: 'one, with every OpenVPN in its management.endpoints',
      remedy: "stop all but one; two that share a table or mark bits undo each other's changes",
    });
  }
  if (sidecar.where === 'elsewhere') {
    judgements.push({
      severity: 'warn',
      subject,
      found: describeElsewhere(controlSocket, sidecar.networkNamespace),
      expected: 'the network namespace of the sidecar: everything else here is about another one',
      remedy: ERROR_CODES.CONTROL_NAMESPACE.remedy,
    });
    return judgements;
  }
  if (sidecar.where === 'nowhere') {
    const found = pids.length === 0 ? 'none runs' : `one runs (pid ${pids.join(', ')}), but not at ${controlSocket}`;
    judgements.push({
      severity: 'info',
      subject,
      found,
      expected: `one at ${controlSocket}`,
      remedy: pids.length === 0 ? 'gwmark run' : 'give its control socket with --control-socket',
    });
    return judgements;
  }
  const { status } = sidecar;
  if (status.ready) {
    judgements.push(fine(subject, `${status.version}, ready, datapath ${status.datapath}`));
  } else {
    const problems = status.problems.length > 0 ? status.problems : ['not ready'];
    judgements.push(
      ...problems.map((problem): Judgement => ({
        severity: 'error',
        subject,
        found: problem,
        expected: 'ready',
        remedy: 'see the log of the sidecar',
      })),
    );
  }
  return judgements;
}

/** `node .../bin/gwmark run ...`, also as the compiled main.js, or a single executable of that name. */
export function isSidecar({ argv }: Pick<ProcessInfo, 'argv'>): boolean {
  const index = argv.findIndex((word) => /(^|\/)gwmark$|\/sidecar\/main\.js$/.test(word));
  return index >= 0 && index <= 2 && argv[index + 1] === 'run';
}
