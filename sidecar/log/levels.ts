/** From the most to the least urgent. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;

/** error: the operator must act. warn: degraded, recovers by itself. info: a state changed. debug: everything else. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What is said of an event in the reference. */
export interface EventDescription {
  readonly level: LogLevel;
  readonly meaning: string;
  /** What the operator does about it. */
  readonly action: string;
}
