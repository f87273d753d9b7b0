import type { Judgement } from './finding.js';
import type { System } from './system.js';

/** One question to the system. It only reads. */
export interface Check {
  /** Stable, in kebab-case. */
  readonly name: string;
  /** What it checks and why, for the reference. */
  readonly doc: string;
  /** It needs CAP_NET_ADMIN. */
  readonly needsNetAdmin: boolean;
  /** Rejects with a GwmarkError if it could not look. */
  readonly look: (system: System) => Promise<readonly Judgement[]>;
}
