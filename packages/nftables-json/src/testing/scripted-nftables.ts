import type { ExecutionMode, ExecutionResult, Executor } from '../executor.js';
import { ExecutorNftables } from '../executor-nftables.js';
import type { Nftables } from '../nftables.js';

/** What libnftables was given: one entry a command, after lowering. */
export interface ScriptedInput {
  readonly nftables: readonly Readonly<Record<string, unknown>>[];
}

/** Answers one exchange; what is left out is success without output. */
export type ScriptedAnswer = (input: ScriptedInput, mode: ExecutionMode) => Partial<ExecutionResult>;

/**
 * The real client with a scripted libnftables, for versions and messages that are not available.
 *
 * @param applyElements plays the shorter way for single addresses; by default there is none
 */
export function scriptedNftables(
  answer: ScriptedAnswer,
  applyElements: Executor['applyElements'] = async () => false,
): Nftables {
  const executor: Executor = {
    kind: 'library',
    async execute(input, mode) {
      // Our own client wrote it.
      return { ok: true, output: '', errors: '', ...answer(JSON.parse(input) as ScriptedInput, mode) };
    },
    applyElements,
    hasElements: () => undefined,
    generation: () => undefined,
    async [Symbol.asyncDispose]() {
      // Owns nothing.
    },
  };
  return new ExecutorNftables(executor);
}
