import type { ClientKey } from './ids.js';

/** What each code of a {@link ManagementError} says. Stable: once published, a code keeps its meaning. */
export const MANAGEMENT_ERROR_CODES = {
  MGMT_ABORTED: "the caller's AbortSignal fired",
  MGMT_ARGUMENT: 'rejected before anything was sent: the protocol cannot represent this value',
  MGMT_AUTH: 'the daemon rejected the management password (it asked again, or closed the connection)',
  MGMT_BUSY: 'connected, but silent: another program uses the management interface, which accepts one at a time',
  MGMT_CLOSED: 'this client was closed',
  MGMT_COMMAND: 'the daemon answered `ERROR:`; `context.reply` has its text',
  MGMT_CONNECT: 'the connection could not be opened, for a reason without its own code',
  MGMT_LISTEN: 'the client cannot listen where OpenVPN is to connect (`--management-client`)',
  MGMT_LOST: 'the connection ended while a command or a wait was pending',
  MGMT_NOT_CONNECTED: 'not connected; commands are not queued for a later connection',
  MGMT_NOBODY: 'the client listens, and no OpenVPN (`--management-client`) has connected yet',
  MGMT_NOT_FOUND: 'the socket path does not exist',
  MGMT_OVERFLOW: 'a line, an environment block or a reply is larger than its limit',
  MGMT_PASSWORD_REQUIRED: 'the daemon asks for a password and none is configured',
  MGMT_PROTOCOL: 'bytes that OpenVPN does not send: not a management interface, or out of sync',
  MGMT_REFUSED: 'ECONNREFUSED: nothing listens (a stale socket file, or a stopped daemon)',
  MGMT_REJECTED: 'accepted, then closed without a byte (`--management-client-user/-group`)',
  MGMT_STALE_EPOCH: 'the client belongs to an earlier epoch; its CID may now belong to another client',
  MGMT_TIMEOUT: 'no complete reply in time',
  MGMT_TRUNCATED: 'the daemon finished the command without finishing its reply',
  MGMT_UNSUPPORTED: 'this daemon, or its current mode, does not have the command',
} as const satisfies Record<string, string>;

export type ManagementErrorCode = keyof typeof MANAGEMENT_ERROR_CODES;

/** Facts about a failure, safe to log: never contains secrets. */
export interface ErrorContext {
  /** The command, with its secret parts as `***`. */
  readonly command?: string;
  /** The daemon's answer, without `ERROR: `. */
  readonly reply?: string;
  /** Reply lines that came before the reply broke off; of a long table the last few. */
  readonly lines?: readonly string[];
  readonly endpoint?: string;
}

/** Every failure of this package. */
export class ManagementError extends Error {
  override readonly name = 'ManagementError';

  readonly code: ManagementErrorCode;
  readonly context: ErrorContext;

  constructor(
    code: ManagementErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly context?: ErrorContext } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.context = options.context ?? {};
  }
}

/** Narrows an unknown thrown value to this package's error, and to one code where given. */
export function isManagementError(error: unknown, code?: ManagementErrorCode): error is ManagementError {
  return error instanceof ManagementError && (code === undefined || error.code === code);
}

/** Ends a switch over a union: the compiler proves that this is never reached. */
export function assertNever(value: never): never {
  throw new TypeError(`unexpected value ${JSON.stringify(value)}`);
}

/** Converts the reason of an aborted signal to the package's error. */
export function abortError(signal: AbortSignal, action: string): ManagementError {
  return new ManagementError('MGMT_ABORTED', `${action}: aborted`, { cause: signal.reason });
}

/** What ended a connection: an error of this package, or the fault of a hook. */
export function asManagementError(error: unknown): ManagementError {
  if (isManagementError(error)) return error;
  return new ManagementError(
    'MGMT_LOST',
    `management connection given up: ${error instanceof Error ? error.message : String(error)}`,
    { cause: error },
  );
}

/** A command for a client of an epoch that is over. */
export function staleError(label: string, key: ClientKey, epoch: number): ManagementError {
  return new ManagementError(
    'MGMT_STALE_EPOCH',
    `command "${label}": client ${key.cid} is of epoch ${key.epoch}, and it is ${epoch} now`,
    {
      context: { command: label },
    },
  );
}
