import { checkInteger } from './argument.js';
import type { Backoff } from './backoff.js';
import { systemClock, type Clock } from './clock.js';
import type { DecoderOptions } from './decoder.js';
import { type Endpoint, ENDPOINT_EXPECTED, formatEndpoint, parseEndpoint } from './endpoint.js';
import { ManagementError } from './errors.js';
import type { ListenFileOptions } from './openvpn-listener.js';
import type { Secret } from './secret.js';

/** The options of a {@link ManagementClient}. */
export interface ManagementClientOptions {
  /** `unix:/run/openvpn/management.sock`, `tcp:127.0.0.1:7505`, either with `listen:` in front, or parsed. */
  readonly endpoint: string | Endpoint;
  /** The socket file of an endpoint at which OpenVPN connects (`listen:unix:...`). */
  readonly listenFile?: ListenFileOptions | undefined;
  /** The management password, or how to get it: then it is asked for at every attempt. */
  readonly password?: Secret | (() => Promise<Secret | undefined>) | undefined;
  /** Time from the first packet to the banner, 1..600000 ms, default 5000. Silence for this long means a busy interface. */
  readonly connectTimeoutMs?: number | undefined;
  /** Time for the whole reply of a command, 1..600000 ms, default 10000. */
  readonly commandTimeoutMs?: number | undefined;
  /** Waits between attempts; see {@link Backoff} for the defaults. */
  readonly backoff?: Partial<Backoff> | undefined;
  /**
   * Wait before the next attempt after the daemon refused the password, or none is configured: 1..3600000 ms. Without
   * it the client ends then.
   */
  readonly authRetryMs?: number | undefined;
  /** Most lines of one reply, 1000..10000000, default 500000. */
  readonly maxReplyLines?: number | undefined;
  readonly decoder?: DecoderOptions | undefined;
  /** To pass notifications on to other programs, see `ConnectionOptions.onNotificationBytes`. */
  readonly onNotificationBytes?: ((bytes: Buffer) => void) | undefined;
  /** Closes the client when it fires. */
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
  /** For the backoff; default Math.random. */
  readonly random?: (() => number) | undefined;
}

/** The options with their defaults, each in its range. */
export interface CheckedOptions {
  readonly endpoint: Endpoint;
  readonly listenFile: ListenFileOptions;
  readonly password: ManagementClientOptions['password'];
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly backoff: Backoff;
  readonly authRetryMs: number | undefined;
  readonly maxReplyLines: number;
  readonly decoder: DecoderOptions;
  readonly onNotificationBytes: ((bytes: Buffer) => void) | undefined;
  readonly signal: AbortSignal | undefined;
  readonly clock: Clock;
  readonly random: () => number;
}

/** @throws ManagementError MGMT_ARGUMENT for an option out of its range */
export function checkOptions(options: ManagementClientOptions): CheckedOptions {
  const { authRetryMs, backoff = {} } = options;
  const baseMs = checkInteger('backoff.baseMs', backoff.baseMs ?? 250, 1, 60_000);
  return {
    endpoint: toEndpoint(options.endpoint),
    listenFile: options.listenFile ?? {},
    password: options.password,
    connectTimeoutMs: checkInteger('connectTimeoutMs', options.connectTimeoutMs ?? 5000, 1, 600_000),
    commandTimeoutMs: checkInteger('commandTimeoutMs', options.commandTimeoutMs ?? 10_000, 1, 600_000),
    backoff: {
      baseMs,
      maxMs: checkInteger('backoff.maxMs', backoff.maxMs ?? Math.max(baseMs, 10_000), baseMs, 3_600_000),
    },
    authRetryMs: authRetryMs === undefined ? undefined : checkInteger('authRetryMs', authRetryMs, 1, 3_600_000),
    maxReplyLines: checkInteger('maxReplyLines', options.maxReplyLines ?? 500_000, 1000, 10_000_000),
    decoder: options.decoder ?? {},
    onNotificationBytes: options.onNotificationBytes,
    signal: options.signal,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
}

/** @throws ManagementError MGMT_ARGUMENT */
function toEndpoint(endpoint: string | Endpoint): Endpoint {
  const parsed = parseEndpoint(typeof endpoint === 'string' ? endpoint : formatEndpoint(endpoint));
  if (parsed !== undefined) return parsed;
  const shown = JSON.stringify(endpoint);
  throw new ManagementError('MGMT_ARGUMENT', `endpoint ${shown}: expected ${ENDPOINT_EXPECTED}`);
}
