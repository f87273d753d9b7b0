import { checkInteger, checkText, quoteArgument } from './argument.js';
import { parseVersion, type Capabilities, type DaemonVersion } from './capabilities.js';
import { canonicalAddress } from './client-address.js';
import { acknowledged, checkSuccess, fact, plain, required, rows } from './command-kinds.js';
import type { Command } from './command.js';
import { ManagementError } from './errors.js';
import { parseCid, parseKid, type Cid, type Kid } from './ids.js';
import type { LogMessage, State } from './messages.js';
import { parseLog, parseState } from './notification.js';
import { parseRemoteEntry, type LinkRemote } from './push-reply.js';
import { type Reply, type ReplyGrammar, type RowReader, type StreamPosition } from './reply.js';
import type { Secret } from './secret.js';
import type { PositionedStatus } from './status.js';
import { Status1Parser, Status3Parser } from './status-parser.js';

/*
 * Every command as a value. Texts of replies are those of manage.c, OpenVPN 2.6.14 (observed) and 2.7 (read).
 * Everything here throws MGMT_ARGUMENT for what cannot be sent.
 */

export type DaemonSignal = 'SIGHUP' | 'SIGTERM' | 'SIGUSR1' | 'SIGUSR2';

/** Counters of `load-stats`. */
export interface LoadStats {
  readonly clients: number;
  readonly bytesIn: bigint;
  readonly bytesOut: bigint;
}

/** `version`: the daemon's version. */
export function version(): Command<DaemonVersion> {
  return rows('version', parseVersion);
}

/**
 * `version n`: announces what this client understands. Daemons before 2.7.1 say nothing to it, nor any for n below 4.
 */
export function announceVersion(managementVersion: number): Command<void> {
  return acknowledged(`version ${checkInteger('version', managementVersion, 1, 99)}`, 'optional');
}

/** `pid`: the daemon's process id, in its own pid namespace. */
export function pid(): Command<number> {
  return fact('pid', /^pid=(\d+)$/, (match) => Number(match[1]));
}

/** `status`: who is connected. Form 3 by default; form 1 still answers when an over-long user name breaks 2 and 3. */
export function status(format: 1 | 3 = 3): Command<PositionedStatus> {
  const line = `status ${format}`;
  const readRows = (): RowReader<PositionedStatus> => {
    const parser = format === 3 ? new Status3Parser() : new Status1Parser();
    return {
      push: (row) => parser.push(row),
      finish: (reply) => {
        checkSuccess(line, reply);
        return { ...parser.finish(), position: reply.position };
      },
    };
  };
  return {
    ...plain(line, 'multi'),
    readRows,
    parse: (reply) => {
      const reader = readRows();
      for (const row of reply.lines) reader.push(row);
      return reader.finish(reply);
    },
  };
}

/** `load-stats`. It is not logged by the daemon, so it is cheap to poll. */
export function loadStats(): Command<LoadStats> {
  return fact(
    'load-stats',
    /^nclients=(\d+),bytesin=(\d+),bytesout=(\d+)$/,
    ([, clients = '0', bytesIn = '0', bytesOut = '0']) => ({
      clients: Number(clients),
      bytesIn: BigInt(bytesIn),
      bytesOut: BigInt(bytesOut),
    }),
  );
}

/** `state`: the last `count` states, oldest first; the newest alone by default. */
export function state(count: number | 'all' = 1): Command<readonly State[]> {
  return rows(historyLine('state', count), (lines) => lines.map((line) => required('state', line, parseState(line))));
}

/** Rows of a history, and where in the stream of notifications it was told: it contains what came before. */
export interface History<T> {
  readonly rows: readonly T[];
  readonly position: StreamPosition;
}

/** `state all`, with its place. */
export function stateHistory(): Command<History<State>> {
  return rows('state all', (lines, position) => ({
    rows: lines.map((line) => required('state all', line, parseState(line))),
    position,
  }));
}

/** `log all`, with its place. */
export function logHistory(): Command<History<LogMessage>> {
  return rows('log all', (lines, position) => ({
    rows: lines.map((line) => required('log all', line, parseLog(line))),
    position,
  }));
}

/** `state on` and `state off`. */
export function setState(isOn: boolean): Command<void> {
  return acknowledged(`state ${isOn ? 'on' : 'off'}`);
}

/**
 * `state on all`: turns notifications on and returns the history. It has two replies: behind a program that relays one a
 * command, use {@link stateHistory}.
 */
export function setStateWithHistory(): Command<readonly State[]> {
  return {
    ...rows('state on all', (lines) => lines.map((line) => required('state on all', line, parseState(line)))),
    grammar: 'single-multi',
  };
}

/** `log N` and `log all`: the last lines of the log. */
export function log(count: number | 'all' = 'all'): Command<readonly LogMessage[]> {
  return rows(historyLine('log', count), (lines) => lines.map((line) => required('log', line, parseLog(line))));
}

/**
 * `log on all`: turns notifications on and returns the history. It has two replies: behind a program that relays one a
 * command, use {@link logHistory}.
 */
export function setLogWithHistory(): Command<readonly LogMessage[]> {
  return {
    ...rows('log on all', (lines) => lines.map((line) => required('log on all', line, parseLog(line)))),
    grammar: 'single-multi',
  };
}

/**
 * `remote-entry-get all`: where a client may connect to, names left out (2.6). A server, and a client in hold, refuse
 * it.
 */
export function remoteEntries(): Command<readonly LinkRemote[]> {
  return rows('remote-entry-get all', (lines) => lines.map(parseRemoteEntry).filter((entry) => entry !== undefined));
}

/** `log on` and `log off`. From verb 3 on the log repeats every command that is sent. */
export function setLog(isOn: boolean): Command<void> {
  return acknowledged(`log ${isOn ? 'on' : 'off'}`);
}

/** `echo on` and `echo off`. */
export function setEcho(isOn: boolean): Command<void> {
  return acknowledged(`echo ${isOn ? 'on' : 'off'}`);
}

/** `bytecount n`: notifications every n seconds, 0 for none. */
export function bytecount(intervalSeconds: number): Command<void> {
  return acknowledged(`bytecount ${checkInteger('bytecount', intervalSeconds, 0, 86400)}`);
}

/** `hold`: whether the daemon will hold at its next start inside. */
export function hold(): Command<boolean> {
  return fact('hold', /^hold=([01])$/, (match) => match[1] === '1');
}

/** `hold on` and `hold off`; the daemon keeps it across management connections. */
export function setHold(isOn: boolean): Command<void> {
  return acknowledged(`hold ${isOn ? 'on' : 'off'}`);
}

/** `hold release`; accepted at any time. */
export function holdRelease(): Command<void> {
  return acknowledged('hold release');
}

/** `signal`. */
export function signal(name: DaemonSignal): Command<void> {
  return acknowledged(`signal ${name}`);
}

/** `verb`: the daemon's log level, 0..15, for the whole process. */
export function setVerb(level: number): Command<void> {
  return acknowledged(`verb ${checkInteger('verb', level, 0, 15)}`);
}

/**
 * `env-filter`: 0 = everything. The daemon keeps it across connections, so another client's choice may be in force.
 */
export function envFilter(level: number): Command<void> {
  return acknowledged(`env-filter ${checkInteger('env-filter', level, 0, 3)}`);
}

/** `client-kill`: the client is told RESTART (or `message`) at once, and is gone 5 s later. */
export function clientKill(cid: Cid, message?: string): Command<void> {
  const head = `client-kill ${parseCid(cid)}`;
  return acknowledged(message === undefined ? head : `${head} ${quoteArgument('client-kill message', message)}`);
}

/** `client-auth-nt`: accepts a login without further settings. */
export function clientAuthNt(cid: Cid, kid: Kid): Command<void> {
  return acknowledged(`client-auth-nt ${parseCid(cid)} ${parseKid(kid)}`);
}

/**
 * `client-auth`: accepts a login with directives as of a client-config-dir file, one per line, never made of a client's
 * words.
 */
export function clientAuth(cid: Cid, kid: Kid, directives: readonly string[]): Command<void> {
  return { ...acknowledged(`client-auth ${parseCid(cid)} ${parseKid(kid)}`, 'statuses'), body: directives };
}

/** `client-deny`: refuses a login; `reason` is logged by the daemon, `clientReason` is sent to the client. */
export function clientDeny(cid: Cid, kid: Kid, reason: string, clientReason?: string): Command<void> {
  const head = `client-deny ${parseCid(cid)} ${parseKid(kid)} ${quoteArgument('client-deny reason', reason)}`;
  return acknowledged(
    clientReason === undefined ? head : `${head} ${quoteArgument('client-deny client reason', clientReason)}`,
  );
}

/** `client-pending-auth`: asks the client for more. `extra` as in `WEB_AUTH::https://...`, at most 256 bytes. */
export function clientPendingAuth(
  capabilities: Capabilities,
  cid: Cid,
  kid: Kid,
  extra: string,
  timeoutSeconds: number,
): Command<void> {
  const extraText = quoteArgument('client-pending-auth extra', extra);
  const timeout = checkInteger('client-pending-auth timeout', timeoutSeconds, 1, 86400);
  switch (capabilities.pendingAuth) {
    case 'cid-kid-extra-timeout':
      return acknowledged(`client-pending-auth ${parseCid(cid)} ${parseKid(kid)} ${extraText} ${timeout}`);
    case 'cid-extra-timeout':
      return acknowledged(`client-pending-auth ${parseCid(cid)} ${extraText} ${timeout}`);
    case 'cid-extra':
      return acknowledged(`client-pending-auth ${parseCid(cid)} ${extraText}`);
    default:
      throw unsupported('client-pending-auth', '2.5');
  }
}

/** `kill` by common name: everyone of that name, at once. Prefer {@link clientKill}. */
export function kill(commonName: string): Command<void> {
  // man_kill looks for an address first, and 2.7 cuts a name at its first colon: it would end another client.
  if (commonName.includes(':'))
    throw new ManagementError(
      'MGMT_ARGUMENT',
      `kill: the common name ${JSON.stringify(commonName)} has a colon: use client-kill`,
    );
  if (commonName === '') throw new ManagementError('MGMT_ARGUMENT', 'kill: the common name is empty');
  checkText('kill common name', commonName, 127);
  return acknowledged(`kill ${quoteArgument('kill common name', commonName)}`);
}

/** `kill` by real address, IPv4 only, as the daemon knows nothing else here. */
export function killAddress(
  capabilities: Capabilities,
  address: string,
  port: number,
  protocol: 'udp' | 'tcp',
): Command<void> {
  if (canonicalAddress(address)?.family !== 4)
    throw new ManagementError('MGMT_ARGUMENT', `kill: ${JSON.stringify(address)} is not an IPv4 address`);
  const target = `${address}:${checkInteger('kill port', port, 1, 65535)}`;
  return acknowledged(`kill ${capabilities.killNeedsProtocol ? `${protocol}:${target}` : target}`);
}

/**
 * `push-update-broad` and `push-update-cid`: changes options of connected clients (2.7); resolves with how many took
 * it.
 */
export function pushUpdate(
  capabilities: Capabilities,
  target: Cid | 'all',
  options: readonly string[],
): Command<number> {
  if (!capabilities.hasPushUpdate) throw unsupported('push-update', '2.7');
  for (const option of options) {
    if (option.includes(','))
      throw new ManagementError(
        'MGMT_ARGUMENT',
        `push-update: the option ${JSON.stringify(option)} holds a comma, which parts options`,
      );
  }
  const text = quoteArgument('push-update options', options.join(','));
  const line = target === 'all' ? `push-update-broad ${text}` : `push-update-cid ${parseCid(target)} ${text}`;
  return {
    ...plain(line, 'statuses'),
    parse: (reply) => {
      checkSuccess(line, reply);
      const counted = reply.statuses
        .map(({ text: words }) => /^(\d+) client\(s\) updated$/.exec(words)?.[1])
        .find((digits) => digits !== undefined);
      return Number(counted ?? 0);
    },
  };
}

/** `password`: answers a `>PASSWORD:Need`. */
export function password(type: string, value: Secret): Command<void> {
  const head = `password ${quoteArgument('password type', type)}`;
  return { ...acknowledged(`${head} ***`), line: `${head} ${quoteArgument('password', value.reveal())}` };
}

/** `username`: answers a `>PASSWORD:Need`. */
export function username(type: string, value: string): Command<void> {
  return acknowledged(`username ${quoteArgument('username type', type)} ${quoteArgument('username', value)}`);
}

/** `pkcs11-id-count`, answered by a notification. */
export function pkcs11IdCount(): Command<number> {
  return {
    ...plain('pkcs11-id-count', 'optional'),
    isAnswer: (message) => message.kind === 'pkcs11:count',
    parse: (reply, answer) => {
      checkSuccess('pkcs11-id-count', reply);
      if (answer?.kind !== 'pkcs11:count')
        throw new ManagementError('MGMT_TRUNCATED', 'command "pkcs11-id-count": not answered', {
          context: { command: 'pkcs11-id-count' },
        });
      return answer.count;
    },
  };
}

/**
 * Any other command, as it is: quoting is the caller's.
 *
 * @param line without LF; it is its own label, so it must hold no secret
 */
export function raw(line: string, grammar: ReplyGrammar): Command<Reply> {
  return {
    ...plain(line, grammar),
    parse: (reply) => {
      checkSuccess(line, reply);
      return reply;
    },
  };
}

function historyLine(name: string, count: number | 'all'): string {
  return `${name} ${count === 'all' ? 'all' : checkInteger(name, count, 1, 100000)}`;
}

function unsupported(name: string, since: string): ManagementError {
  return new ManagementError(
    'MGMT_UNSUPPORTED',
    `command "${name}": this daemon does not have it, OpenVPN ${since} does`,
  );
}
