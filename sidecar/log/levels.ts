/** From the most to the least urgent. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;

/** error: the operator must act. warn: degraded, heals by itself. info: a state changed. debug: everything else. */
export type LogLevel = (typeof LOG_LEVELS)[number];
