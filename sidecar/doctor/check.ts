import type { Judgement } from './finding.js';
import type { System } from './system.js';

/** One question to the system. It looks and changes nothing. */
export interface Check {
  /** Stable, in kebab-case. */
  readonly name: string;
  /** What it looks at and why, for the reference. */
  readonly doc: string;
  /** It cannot look without CAP_NET_ADMIN. */
  readonly needsNetAdmin: boolean;
  /** Rejects with a GwmarkError where it could not look. */
  readonly look: (system: System) => Promise<readonly Judgement[]>;
}
