import type { Iptables } from '../iptables.js';
import { IptablesError } from '../iptables-error.js';
import { openWith, type IptablesOptions } from '../open.js';
import type { ProgramResult } from '../program-runner.js';

/** One call of a program. */
export interface ScriptedCall {
  readonly program: string;
  readonly args: readonly string[];
  readonly input: string;
}

/** Answers a call; omitted fields mean success without output. `missing`: there is no such program. */
export type ScriptedAnswer = (call: ScriptedCall) => Partial<ProgramResult> | 'missing';

/**
 * The real client over programs that a test plays: for versions, kernels and messages that are not at hand.
 *
 * @param files what /proc holds; any other file is missing
 */
export function scriptedIptables(
  options: IptablesOptions,
  answer: ScriptedAnswer,
  files: Readonly<Record<string, string>> = {},
): Promise<Iptables> {
  return openWith(
    options,
    async (program, args, input = '') => {
      const result = answer({ program, args, input });
      if (result === 'missing') throw new IptablesError('UNAVAILABLE', `${program} cannot be started: ENOENT`);
      return { exitCode: 0, stdout: '', stderr: '', ...result };
    },
    async (path) => {
      const text = files[path];
      if (text === undefined) throw new Error(`no such file: ${path}`);
      return text;
    },
  );
}
