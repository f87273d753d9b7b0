import type { ClientAddress } from './client-address.js';
import type { Environment } from './environment.js';
import type { Cid, Kid } from './ids.js';
import type { Secret } from './secret.js';

/*
 * What the daemon says, as types. The grammar is management-notes.txt "REAL-TIME MESSAGE FORMAT" and the msg(M_CLIENT)
 * calls of manage.c, OpenVPN 2.6.14; text fields are decoded as decodeText says.
 */

/** A client asks to log in; the daemon waits for client-auth or client-deny. Needs `--management-client-auth`. */
export interface ClientConnect {
  readonly kind: 'client:connect';
  readonly cid: Cid;
  readonly kid: Kid;
  readonly env: Environment;
}

/** A connected client renegotiates and asks again. */
export interface ClientReauth {
  readonly kind: 'client:reauth';
  readonly cid: Cid;
  readonly kid: Kid;
  readonly env: Environment;
}

/** The answer to a challenge that client-pending-auth sent. */
export interface ClientCrResponse {
  readonly kind: 'client:cr-response';
  readonly cid: Cid;
  readonly kid: Kid;
  /** Base64. */
  readonly response: Secret;
  readonly env: Environment;
}

/**
 * The connection is set up. OpenVPN says so for a rejected client too, after its DISCONNECT: ignore an ESTABLISHED of
 * a CID that is gone (manage.c management_connection_established).
 */
export interface ClientEstablished {
  readonly kind: 'client:established';
  readonly cid: Cid;
  readonly env: Environment;
}

/** The client is gone. The environment is empty if it never was established. Only under `--management-client-auth`. */
export interface ClientDisconnect {
  readonly kind: 'client:disconnect';
  readonly cid: Cid;
  readonly env: Environment;
}

/** An address now leads to this client. There is no message that takes it back. Only in `dev tun`. */
export interface ClientAddressMessage {
  readonly kind: 'client:address';
  readonly cid: Cid;
  readonly address: ClientAddress;
  /** True for the client's own address (one IPv4, one IPv6), false for a subnet behind it (iroute). */
  readonly isPrimary: boolean;
}

/** Payload bytes of one client so far, every n seconds after `bytecount n`. */
export interface ClientBytecount {
  readonly kind: 'client:bytecount';
  readonly cid: Cid;
  readonly bytesIn: bigint;
  readonly bytesOut: bigint;
}

export type ClientMessage =
  | ClientConnect
  | ClientReauth
  | ClientCrResponse
  | ClientEstablished
  | ClientDisconnect
  | ClientAddressMessage
  | ClientBytecount;

/** States of a server; a client has more, so any word is possible. */
export type KnownStateName =
  | 'CONNECTING'
  | 'ASSIGN_IP'
  | 'ADD_ROUTES'
  | 'CONNECTED'
  | 'RECONNECTING'
  | 'EXITING'
  | 'WAIT'
  | 'AUTH'
  | 'GET_CONFIG'
  | 'RESOLVE'
  | 'TCP_CONNECT'
  | 'AUTH_PENDING';

/** One row of the state history. Empty fields are undefined. */
export interface State {
  /** Unix time. */
  readonly timeSeconds: number;
  readonly name: KnownStateName | (string & {});
  /** CONNECTED: SUCCESS, ERROR or ROUTE_ERROR; RECONNECTING and EXITING: the signal or reason. */
  readonly description: string;
  readonly tunnelAddress: string | undefined;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly tunnelAddress6: string | undefined;
}

/** The daemon's state changed; only after `state on`. */
export interface StateMessage extends State {
  readonly kind: 'state';
}

/** The daemon waits for `hold release`; said again on every connection and after every restart inside. */
export interface HoldMessage {
  readonly kind: 'hold';
  readonly text: string;
  /** Suggested wait, 2.4 and later. */
  readonly waitSeconds: number | undefined;
}

/** A log line, after `log on`. */
export interface LogMessage {
  readonly kind: 'log';
  readonly timeSeconds: number;
  /** I info, F fatal, N non-fatal, W warning, D debug; any number of them, none included. */
  readonly flags: string;
  readonly text: string;
}

export interface EchoMessage {
  readonly kind: 'echo';
  readonly timeSeconds: number;
  readonly text: string;
}

/** Totals of a daemon in client mode. */
export interface BytecountMessage {
  readonly kind: 'bytecount';
  readonly bytesIn: bigint;
  readonly bytesOut: bigint;
}

export interface InfoMessage {
  readonly kind: 'info';
  readonly text: string;
  /**
   * The number in the banner: 1 = 2.4, 3 = 2.5, 4 = 2.6.0, 5 = 2.6.2 to 2.7.1, 6 = 2.7.2. Undefined on other texts.
   */
  readonly managementVersion: number | undefined;
}

export interface InfomsgMessage {
  readonly kind: 'infomsg';
  readonly text: string;
}

/** Credentials are asked for (client mode, or a private key's passphrase). */
export interface PasswordNeed {
  readonly kind: 'password:need';
  /** `Auth`, `Private Key`, `HTTP Proxy` ... */
  readonly type: string;
  readonly needs: 'password' | 'username' | 'username/password';
  /** A static challenge, with the flags as sent. */
  readonly challenge: { readonly flags: number; readonly text: string } | undefined;
}

export interface PasswordFailed {
  readonly kind: 'password:failed';
  readonly type: string;
  readonly reason: string | undefined;
}

export interface PasswordAuthToken {
  readonly kind: 'password:auth-token';
  readonly token: Secret;
}

export interface NeedMessage {
  readonly kind: 'need-ok' | 'need-str';
  readonly type: string;
  readonly text: string;
}

export interface NeedCertificate {
  readonly kind: 'need-certificate';
  readonly hint: string;
}

/** A signature is asked for. */
export interface SignMessage {
  readonly kind: 'pk-sign' | 'rsa-sign';
  /** Base64. */
  readonly data: string;
  readonly algorithm: string | undefined;
}

export interface RemoteMessage {
  readonly kind: 'remote';
  readonly host: string;
  readonly port: number;
  readonly protocol: string;
}

export interface ProxyMessage {
  readonly kind: 'proxy';
  readonly index: number;
  readonly protocol: string;
  readonly host: string;
}

/** A message from a peer: `info,remote-exit,EXIT` when a client leaves in order. It names no CID. */
export interface NotifyMessage {
  readonly kind: 'notify';
  readonly severity: string;
  readonly type: string;
  readonly text: string;
}

export interface UpdownMessage {
  readonly kind: 'updown';
  readonly direction: 'UP' | 'DOWN';
  readonly env: Environment;
}

/** The daemon is about to exit; the socket closes next. */
export interface FatalMessage {
  readonly kind: 'fatal';
  readonly text: string;
}

export interface Pkcs11Count {
  readonly kind: 'pkcs11:count';
  readonly count: number;
}

export interface Pkcs11Entry {
  readonly kind: 'pkcs11:entry';
  readonly index: number;
  readonly id: string;
  readonly blob: string;
}

/** A notification of a type that this version does not know, or of a known type with a text that does not parse. */
export interface UnknownMessage {
  readonly kind: 'unknown';
  /** The word between `>` and `:`; empty if there is none. */
  readonly source: string;
  /** The rest, values of environment variables masked. */
  readonly text: string;
  /** Why it is unknown, for a log. */
  readonly reason: string;
}

/** Any unsolicited message. */
export type Notification =
  | ClientMessage
  | StateMessage
  | HoldMessage
  | LogMessage
  | EchoMessage
  | BytecountMessage
  | InfoMessage
  | InfomsgMessage
  | PasswordNeed
  | PasswordFailed
  | PasswordAuthToken
  | NeedMessage
  | NeedCertificate
  | SignMessage
  | RemoteMessage
  | ProxyMessage
  | NotifyMessage
  | UpdownMessage
  | FatalMessage
  | Pkcs11Count
  | Pkcs11Entry
  | UnknownMessage;

/** A line that answers a command; only the order shows which. */
export type ReplyLine =
  | { readonly kind: 'success'; readonly text: string }
  | { readonly kind: 'error'; readonly text: string }
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'end' };

/** `ENTER PASSWORD:`, the one thing that the daemon says without a line end, and only before it knows us. */
export interface PasswordPrompt {
  readonly kind: 'password-prompt';
}

/** Everything that a decoder can yield. */
export type Message = Notification | ReplyLine | PasswordPrompt;

/** True for unsolicited messages, false for an answer or the password prompt. */
export function isNotification(message: Message): message is Notification {
  switch (message.kind) {
    case 'success':
    case 'error':
    case 'line':
    case 'end':
    case 'password-prompt':
      return false;
    default:
      return true;
  }
}
