/** From the most to the least urgent. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;

/** error: the operator must act. warn: degraded, recovers by itself. info: a state changed. debug: everything else. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The meaning of an event, for the reference. */
export interface EventDescription {
  readonly level: LogLevel;
  readonly meaning: string;
  /** What the operator should do. */
  readonly action: string;
}
