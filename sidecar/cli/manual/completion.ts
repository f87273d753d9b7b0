import { bashCompletion } from './completion-bash.js';
import { fishCompletion } from './completion-fish.js';
import { zshCompletion } from './completion-zsh.js';
import type { ProgramDescription } from './command-description.js';

/** The shells that gwmark writes completion for. */
export const SHELLS = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
} as const satisfies Record<string, (program: ProgramDescription) => string>;

export type Shell = keyof typeof SHELLS;
