import { KERNEL_EVENTS } from './kernel-events.js';
import { SOURCE_EVENTS } from './source-events.js';
import type { EventDescription, LogLevel } from './levels.js';

export { LOG_LEVELS, type LogLevel } from './levels.js';

/**
 * Every event that the sidecar logs. Names are stable: alerts may match on them.
 * `docs/reference/log-events.md` is generated from this table.
 */
export const LOG_EVENTS = {
  'daemon.started': {
    level: 'info',
    meaning: 'The sidecar has started; the fields have its version, datapath and management endpoints.',
    action: 'None.',
  },
  'daemon.stopping': {
    level: 'info',
    meaning: 'The sidecar stops after a signal. Rules and routes stay installed, so traffic continues.',
    action: 'None; a second signal stops it immediately.',
  },
  'daemon.stopped': {
    level: 'info',
    meaning: 'The sidecar stopped cleanly.',
    action: 'None. `gwmark down` removes what it left in the kernel.',
  },
  'daemon.failed': {
    level: 'error',
    meaning: 'The sidecar could not start, or stops because of an error; see `code` and `reason`.',
    action: 'Look the code up in errors.md.',
  },
  'daemon.check_failed': {
    level: 'warn',
    meaning: 'A periodic check of the kernel failed; it is retried.',
    action: 'If it repeats: see the reason in the fields.',
  },
  'config.loaded': {
    level: 'debug',
    meaning: 'The settings that differ from their defaults, each with its source.',
    action: 'None.',
  },
  'config.reloaded': {
    level: 'info',
    meaning:
      'The configuration was reloaded (SIGHUP); `settings` lists the changed settings that are now in force. Flows continue.',
    action: 'None.',
  },
  'config.restart_needed': {
    level: 'warn',
    meaning:
      'The configuration was reloaded, but the listed settings cannot change at run time; they keep their old values.',
    action: 'Restart the sidecar; traffic continues meanwhile.',
  },
  'config.reload_failed': {
    level: 'error',
    meaning:
      'The reloaded configuration is invalid: nothing was changed, and the previous configuration stays in force.',
    action: 'Fix the errors in `reason` (`gwmark check` checks the result), then send SIGHUP again.',
  },
  'notify.failed': {
    level: 'warn',
    meaning:
      'The sidecar cannot notify the service manager: $NOTIFY_SOCKET has an unknown type, or no program listens there.',
    action: 'Check that the unit has `Type=notify`, or start the sidecar without the variable.',
  },
  'management.connecting': {
    level: 'debug',
    meaning: 'The sidecar is connecting to a management socket.',
    action: 'None.',
  },
  'management.connected': {
    level: 'info',
    meaning: 'A management socket is connected.',
    action: 'None.',
  },
  'management.lost': {
    level: 'warn',
    meaning: 'A management socket was closed or cannot be reached; the sidecar retries with backoff, without limit.',
    action: 'If it persists: check that OpenVPN runs and that `management` names its socket.',
  },
  'management.auth_failed': {
    level: 'error',
    meaning:
      'OpenVPN rejected the management password, or requires one and none is set. This server is not ready; the others work.',
    action:
      'Compare `management.passwordFile`, or the `passwordFile` of that endpoint, with the password file of OpenVPN; the sidecar reads the file again at the next attempt, or immediately on SIGHUP.',
  },
  'management.busy': {
    level: 'warn',
    meaning: 'Another program uses the management socket; OpenVPN accepts one at a time.',
    action: 'Stop the other program, or let it attach to gwmark (`passThrough`).',
  },
  'management.second_refused': {
    level: 'warn',
    meaning:
      'Another OpenVPN connected to a management endpoint (`listen:`) to which one is connected already. It was refused, which ends it.',
    action: 'Give each OpenVPN an endpoint of its own.',
  },
  'management.protocol_error': {
    level: 'warn',
    meaning: 'A management socket violated the protocol; the sidecar reconnects.',
    action: 'If it repeats: check which program listens at that endpoint.',
  },
  'management.question': {
    level: 'error',
    meaning:
      'OpenVPN waits for a password, a signature or similar from its management client. gwmark is that client and does not have it. `question` says what it is.',
    action:
      'Configure the answer in OpenVPN (`askpass FILE` for a private key, `auth-user-pass FILE` for a login, and no `management-query-passwords`), or let the program that has the answer attach to the sidecar (`passThrough`).',
  },
  'management.unread': {
    level: 'warn',
    meaning:
      'The sidecar cannot parse something that OpenVPN sent over its management interface; see `text`. Each kind is logged once.',
    action: 'Report it with the version of OpenVPN. If it is an address: check whether that client can be reached.',
  },
  'management.no_client_auth': {
    level: 'warn',
    meaning: 'OpenVPN runs without `--management-client-auth`, so it does not report when a client leaves.',
    action:
      'Add the option for immediate detection; without it the sidecar polls for clients every `management.pollIntervalMs`.',
  },
  'management.logins_unanswered': {
    level: 'warn',
    meaning: 'OpenVPN asks its management client to answer logins, but this sidecar is not configured to.',
    action: 'Set `authorize: accept`, or remove `--management-client-auth` from OpenVPN.',
  },
  'management.logins_found': {
    level: 'info',
    meaning:
      'Clients requested a login while no sidecar was attached, and were still waiting for an answer; the sidecar accepted them (`authorize: accept`).',
    action: 'None. With `management-hold`, OpenVPN does not serve clients before the sidecar is attached.',
  },
  'management.logins_lost': {
    level: 'debug',
    meaning: 'The connection was lost, or OpenVPN restarted, while the sidecar was accepting earlier logins.',
    action: 'None; the sidecar checks again at the next connection.',
  },
  'pass_through.listening': {
    level: 'debug',
    meaning: "A socket of `passThrough` is open: programs can use OpenVPN's management interface there.",
    action: 'None.',
  },
  'pass_through.listen_failed': {
    level: 'error',
    meaning:
      'A socket of `passThrough` cannot be opened; `reason` says why. The sidecar retries every 5 seconds, and everything else works.',
    action: 'Stop the program that uses the address, or choose another one.',
  },
  'pass_through.attached': {
    level: 'debug',
    meaning: 'A program attached to a socket of `passThrough`.',
    action: 'None.',
  },
  'pass_through.left': { level: 'debug', meaning: 'A program left a socket of `passThrough`.', action: 'None.' },
  'pass_through.dropped': {
    level: 'warn',
    meaning:
      'A program at a socket of `passThrough` was disconnected: it does not read what it is sent, or OpenVPN did not answer its command in time; see `reason`. Nobody else is affected.',
    action: 'Check that program; it can attach again.',
  },
  'pass_through.refused': {
    level: 'warn',
    meaning:
      'A program at a socket of `passThrough` gave a wrong password, or sent a command that is too long or not allowed there; see `reason`. Each reason is logged once for each connection.',
    action: 'Check that program, or `passwordFile` and `allow` of the socket.',
  },
  'pass_through.full': {
    level: 'warn',
    meaning: 'A program was refused at a socket of `passThrough`, because 64 are attached to that OpenVPN already.',
    action: 'Find out which program opens so many connections: `ss -xp` or `ss -tp` lists them.',
  },
  'pass_through.logins_wait': {
    level: 'warn',
    meaning:
      'OpenVPN asks about a login, and no program that may answer is attached. The login waits, and is asked of the first that attaches.',
    action: 'Start the program that answers logins, or set `authorize: accept`.',
  },
  'management.hold_failed': {
    level: 'debug',
    meaning: 'OpenVPN rejected `hold release`; the sidecar repeats it when OpenVPN asks again.',
    action: 'None.',
  },
  'server.role': {
    level: 'info',
    meaning: 'The sidecar determined whether the OpenVPN behind a management socket is a server or a client.',
    action: 'None; `management.role` forces one.',
  },
  'server.device': {
    level: 'info',
    meaning: 'The tunnel device of an OpenVPN is known; `source` says from where (guides/transport.md).',
    action: 'None.',
  },
  'server.transport': {
    level: 'info',
    meaning: 'The sockets that an OpenVPN server serves are known; `source` says from where (guides/transport.md).',
    action: 'None.',
  },
  'server.transport_unknown': {
    level: 'warn',
    meaning:
      'The sockets of a running OpenVPN are unknown: its own packets cannot be distinguished from others, so the server is not ready.',
    action: 'Set `transport`, for example `udp/1194`; `reason` says what was tried.',
  },
  'server.ready': {
    level: 'info',
    meaning: 'The tunnel device, its addresses and the transport of an OpenVPN server are known.',
    action: 'None.',
  },
  'server.waiting': {
    level: 'info',
    meaning:
      'OpenVPN is connected, but its traffic cannot be carried yet: it has no tunnel (start-up, hold, restart), or its tunnel is unknown; see `reason`.',
    action: 'If it persists: see `reason` and the log of OpenVPN.',
  },
  'server.restarted': {
    level: 'info',
    meaning: 'OpenVPN restarted, or an OpenVPN client lost its server; all its sessions ended and a new epoch began.',
    action: 'None.',
  },
  'client.connected': {
    level: 'info',
    meaning: 'A client connected.',
    action: 'None.',
  },
  'client.authorize_failed': {
    level: 'warn',
    meaning: 'The sidecar could not accept a login: OpenVPN rejected the answer, or restarted meanwhile.',
    action: 'If it repeats: see the log of OpenVPN.',
  },
  'client.address': {
    level: 'info',
    meaning: 'A client got or lost a virtual address, or a subnet behind it.',
    action: 'None.',
  },
  'client.gone': {
    level: 'info',
    meaning: 'A client left; its rules were removed.',
    action: 'None.',
  },
  'client.kicked': {
    level: 'info',
    meaning:
      '`gwmark kick`, or its hold, ended a client: its rules and its connections are removed, and OpenVPN is told. `reason` is `command`, or `hold` for a client that is kept out and came in anyway.',
    action: 'None.',
  },
  'client.kick_failed': {
    level: 'warn',
    meaning:
      'OpenVPN did not take the order to end a client. Its rules are removed; the sidecar repeats the order as long as OpenVPN has that client.',
    action: 'If it repeats: see `reason` and the log of OpenVPN.',
  },
  'client.login_held': {
    level: 'info',
    meaning: 'The sidecar refused a login because `gwmark kick --hold` keeps that client out.',
    action: 'None; `gwmark kick NAME --release` ends the hold.',
  },
  'client.hold_released': {
    level: 'info',
    meaning: '`gwmark kick --release` ended the hold of a client before its time.',
    action: 'None.',
  },
  'client.unreachable': {
    level: 'warn',
    meaning:
      'The endpoint routes a client network elsewhere than to its tunnel: another route covers it (`leadsTo`), so no packet reaches that client.',
    action: 'Remove the other route (`ip route get` shows it), or give the client another address.',
  },
  'client.refused_route': {
    level: 'warn',
    meaning: 'gwmark did not install an address or subnet of a client because it would take over other traffic.',
    action: 'Correct the `iroute` of that client.',
  },
  ...SOURCE_EVENTS,
  'network.changed': {
    level: 'info',
    meaning: 'The tunnel of an OpenVPN client or another VPN leads to a network, or no longer does.',
    action: 'None.',
  },
  'network.refused': {
    level: 'warn',
    meaning:
      'gwmark refused a network of the tunnel of an OpenVPN client or another VPN because it would take over other traffic.',
    action:
      'See the reason in the fields: correct what the server pushes, the routes of the tunnel device or the settings `networks`, `tunnels`, or the allowed IPs of the peer.',
  },
  'network.limit': {
    level: 'warn',
    meaning: 'The server pushed more routes than the limit; gwmark ignores the rest.',
    action: 'Push fewer, larger networks.',
  },
  'session.resynced': {
    level: 'info',
    meaning: 'A snapshot corrected what events had reported: clients were added or removed.',
    action: 'None.',
  },
  'session.snapshot_failed': {
    level: 'debug',
    meaning: 'OpenVPN did not answer `status`; the next snapshot makes up for it.',
    action: 'None.',
  },
  'gateway.found': {
    level: 'info',
    meaning:
      'A gateway was learnt; the kernel uses it from the pass `pass` on (`firewall.applied`, `appliedPass` of the status).',
    action: 'None.',
  },
  'gateway.moved': {
    level: 'info',
    meaning:
      'Replies of a gateway now go to another MAC address (a failover), or to its own again; its flows follow. `by` says why: another machine claimed one of its addresses (`claim`), it showed no sign of life after that (`silence`), it proved alive (`frame`, `answer`), a command (`command`), or an address of `gateways.answer` (`policy`). `flows`: how many conntrack entries it has (datapath nexthop; null without the program `conntrack`).',
    action: 'None; if it flaps, check the routers.',
  },
  'gateway.kept': {
    level: 'info',
    meaning:
      'Another MAC address claimed one address of a router, but the router is still alive: its flows stay with it.',
    action:
      'None if the address is an alias or a virtual address that moved. If the other machine also took over the routing of the silent flows, run `gwmark move`.',
  },
  'gateway.gone': {
    level: 'info',
    meaning: 'A gateway was removed; its flows use normal routing.',
    action: 'None.',
  },
  'gateway.dead': {
    level: 'warn',
    meaning:
      'A gateway did not answer three probes in a row, and sent nothing (`gateways.probeIntervalMs`). Its flows take the normal route until it is alive (`gateway.alive`), or another router has its address (`gateway.moved`).',
    action: 'Check the router.',
  },
  'gateway.alive': {
    level: 'info',
    meaning: 'A gateway that was dead answers or sends again; its flows go to it.',
    action: 'None.',
  },
  'gateway.limit': {
    level: 'warn',
    meaning: 'A gateway was not learnt because `gateways.max` gateways are already known.',
    action: 'Raise `gateways.max`, or restrict `devices`.',
  },
  'uplink.changed': {
    level: 'info',
    meaning: 'The gateway of last resort changed.',
    action: 'None.',
  },
  ...KERNEL_EVENTS,
  'datapath.selected': {
    level: 'info',
    meaning: 'The datapath in use: `nexthop` or `module`, and why.',
    action: 'None.',
  },
  'datapath.failed': {
    level: 'error',
    meaning: 'The kernel module does not respond: it was unloaded, or has another interface version.',
    action: 'Load the module again; flows take the normal route meanwhile.',
  },
  'datapath.recovered': {
    level: 'info',
    meaning: 'The kernel module responds again.',
    action: 'None.',
  },
  'control.listening': {
    level: 'debug',
    meaning: 'The control socket is open.',
    action: 'None.',
  },
  'metrics.listening': {
    level: 'info',
    meaning: 'Metrics are served at the address of `metrics.listen`.',
    action: 'None.',
  },
  'metrics.unavailable': {
    level: 'error',
    meaning:
      'The sidecar cannot listen at the address of `metrics.listen`, usually because another program does; it retries, and everything else works.',
    action: 'End the other program, or choose another address and restart the sidecar.',
  },
  'metrics.failed': {
    level: 'error',
    meaning: 'A request for metrics failed because of a bug in the sidecar.',
    action: 'Report it with the log.',
  },
  'control.failed': {
    level: 'error',
    meaning: 'A request on the control socket failed because of a bug in the sidecar.',
    action: 'Report it with the log.',
  },
} as const satisfies Record<string, EventDescription>;

export type LogEvent = keyof typeof LOG_EVENTS;

/** The events of one level, so that a logger method takes only its own. */
export type LogEventAt<Level extends LogLevel> = {
  [Event in LogEvent]: (typeof LOG_EVENTS)[Event]['level'] extends Level ? Event : never;
}[LogEvent];
