import type { MeasuredRow } from '../row.js';

/** How a measurement is done. */
export interface MeasurementPlan {
  readonly isQuick: boolean;
  readonly profileDirectory: string | null;
  /** Says what is being done, in a line. */
  readonly progress: (text: string) => void;
}

/** Measures both sides and makes the rows. */
export type Measurement = (plan: MeasurementPlan) => Promise<readonly MeasuredRow[]>;

/** The rival of everything that ends in the kernel. */
export const SPAWNED_NFT = 'nft spawned for each event';
