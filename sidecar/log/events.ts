import { KERNEL_EVENTS } from './kernel-events.js';
import type { EventDescription, LogLevel } from './levels.js';

export { LOG_LEVELS, type LogLevel } from './levels.js';

/**
 * Every event that the sidecar logs. Names are stable: alerts may match on them.
 * `docs/reference/log-events.md` is generated from this table.
 */
export const LOG_EVENTS = {
  'daemon.started': {
    level: 'info',
    meaning: 'The sidecar runs; its version, datapath and management endpoints follow.',
    action: 'None.',
  },
  'daemon.stopping': {
    level: 'info',
    meaning: 'A signal asked the sidecar to stop. Rules and routes stay, so traffic goes on.',
    action: 'None; a second signal ends it at once.',
  },
  'daemon.stopped': {
    level: 'info',
    meaning: 'The sidecar ended in order.',
    action: 'None. `gwmark down` removes what it left in the kernel.',
  },
  'daemon.failed': {
    level: 'error',
    meaning: 'The sidecar could not start, or ends because of a fault; `code` and `reason` follow.',
    action: 'Look the code up in errors.md.',
  },
  'daemon.check_failed': {
    level: 'warn',
    meaning: 'A periodic look at the kernel failed; it is repeated.',
    action: 'If it repeats: the fields name the reason.',
  },
  'config.loaded': {
    level: 'debug',
    meaning: 'The settings that are not at their default, each with its source.',
    action: 'None.',
  },
  'config.reloaded': {
    level: 'info',
    meaning: 'SIGHUP: the configuration was read again; `settings` names what changed and is in force. Flows go on.',
    action: 'None.',
  },
  'config.restart_needed': {
    level: 'warn',
    meaning:
      'The configuration was read again, and the settings named cannot change in a running sidecar; they keep their old values.',
    action: 'Restart the sidecar; traffic goes on meanwhile.',
  },
  'config.reload_failed': {
    level: 'error',
    meaning: 'The configuration was read again and has faults: nothing was changed, the one before stays in force.',
    action: 'Mend what `reason` lists (`gwmark check` tries it), then send SIGHUP again.',
  },
  'notify.failed': {
    level: 'warn',
    meaning:
      'The service manager cannot be told how the sidecar stands: $NOTIFY_SOCKET is of an unknown kind, or nobody listens there.',
    action: 'See that the unit has `Type=notify`, or start the sidecar without the variable.',
  },
  'management.connecting': {
    level: 'debug',
    meaning: 'A connection to a management socket is being tried.',
    action: 'None.',
  },
  'management.connected': {
    level: 'info',
    meaning: 'A management socket is connected.',
    action: 'None.',
  },
  'management.lost': {
    level: 'warn',
    meaning: 'A management socket was closed or cannot be reached; it is tried again with backoff, forever.',
    action: 'If it lasts: see that OpenVPN runs and that `management` names its socket.',
  },
  'management.auth_failed': {
    level: 'error',
    meaning:
      'OpenVPN refused the management password, or wants one and none is set. This server is not ready; the others go on.',
    action:
      'Compare `management.passwordFile`, or the `passwordFile` of that endpoint, with the password file of OpenVPN; the file is read again at the next attempt, and SIGHUP makes one at once.',
  },
  'management.busy': {
    level: 'warn',
    meaning: 'Another program holds the management socket; OpenVPN serves one at a time.',
    action: 'End the other program.',
  },
  'management.protocol_error': {
    level: 'warn',
    meaning: 'A management socket sent something that is not its protocol; the connection is made anew.',
    action: 'If it repeats: see what listens at that endpoint.',
  },
  'management.question': {
    level: 'error',
    meaning:
      'OpenVPN asks its management client for a password, a signature or the like and waits for it; gwmark holds the one slot and does not have it. `question` names it.',
    action:
      'Give OpenVPN the answer itself (`askpass FILE` for a private key, `auth-user-pass FILE` for a login, and no `management-query-passwords`), or stop the sidecar, let the program that has it answer, and start the sidecar again.',
  },
  'management.unread': {
    level: 'warn',
    meaning:
      'OpenVPN said something over its management interface that cannot be read; `text` has it. Each kind is logged once.',
    action: 'Report it with the version of OpenVPN. If it is an address: look whether that client can be reached.',
  },
  'management.no_client_auth': {
    level: 'warn',
    meaning: 'OpenVPN runs without `--management-client-auth`, so it does not tell when a client leaves.',
    action: 'Add the option for immediate reactions; until then clients are polled every `management.pollIntervalMs`.',
  },
  'management.logins_unanswered': {
    level: 'warn',
    meaning: 'OpenVPN asks its management client to answer logins, and this sidecar was not told to.',
    action: 'Set `authorize: accept`, or remove `--management-client-auth` from OpenVPN.',
  },
  'management.logins_found': {
    level: 'info',
    meaning:
      'Clients had asked to log in while no sidecar was attached, and were waiting for an answer that nobody would have given; they were let in (`authorize: accept`).',
    action: 'None. With `management-hold` OpenVPN starts to serve only once the sidecar is attached.',
  },
  'management.logins_lost': {
    level: 'debug',
    meaning:
      'The connection was lost, or OpenVPN restarted, while clients that had asked before it were being let in.',
    action: 'None; the next connection looks again.',
  },
  'management.hold_failed': {
    level: 'debug',
    meaning: '`hold release` was refused; it is repeated when OpenVPN asks again.',
    action: 'None.',
  },
  'server.role': {
    level: 'info',
    meaning: 'It is known now whether the OpenVPN behind a management socket is a server or a client.',
    action: 'None; `management.role` forces one.',
  },
  'server.device': {
    level: 'info',
    meaning: 'The tunnel device of an OpenVPN is known; `source` says who told it (guides/transport.md).',
    action: 'None.',
  },
  'server.transport': {
    level: 'info',
    meaning: 'The sockets that an OpenVPN server serves are known; `source` says who told it (guides/transport.md).',
    action: 'None.',
  },
  'server.transport_unknown': {
    level: 'warn',
    meaning:
      'OpenVPN runs, and it is not known on which sockets: its own packets cannot be told from others, so the server is not ready.',
    action: 'Name them in the setting `transport`, for example `udp/1194`; `reason` says what was tried.',
  },
  'server.ready': {
    level: 'info',
    meaning: 'The tunnel device, its addresses and the transport of an OpenVPN server are known.',
    action: 'None.',
  },
  'server.waiting': {
    level: 'info',
    meaning:
      'OpenVPN is connected, and `reason` says why its traffic cannot be carried yet: no tunnel (start-up, hold, restart), or it is not known where.',
    action: 'If it lasts: as `reason` says; see the log of OpenVPN.',
  },
  'server.restarted': {
    level: 'info',
    meaning: 'OpenVPN restarted, or a client lost its server; all its sessions ended and a new epoch began.',
    action: 'None.',
  },
  'client.connected': {
    level: 'info',
    meaning: 'A client is connected.',
    action: 'None.',
  },
  'client.authorize_failed': {
    level: 'warn',
    meaning: 'A login could not be accepted: OpenVPN refused the answer, or restarted meanwhile.',
    action: 'If it repeats: see the log of OpenVPN.',
  },
  'client.address': {
    level: 'info',
    meaning: 'A client got, or lost, a virtual address or a subnet behind it.',
    action: 'None.',
  },
  'client.gone': {
    level: 'info',
    meaning: 'A client left; its rules were removed.',
    action: 'None.',
  },
  'client.unreachable': {
    level: 'warn',
    meaning:
      "The endpoint's own routing does not lead a client network to its tunnel: another route has it (`leadsTo`), so no packet reaches that client.",
    action: 'Remove the other route (`ip route get` shows it), or give the client another address.',
  },
  'client.refused_route': {
    level: 'warn',
    meaning: 'An address or subnet of a client was not installed because it would take over other traffic.',
    action: 'Correct the `iroute` of that client.',
  },
  'network.changed': {
    level: 'info',
    meaning: 'The tunnel of an OpenVPN client leads to a network, or does not lead there any more.',
    action: 'None.',
  },
  'network.refused': {
    level: 'warn',
    meaning:
      'A network was not taken for one that the tunnel of an OpenVPN client leads to, because it would take over other traffic.',
    action:
      'The fields name the reason: correct what the server pushes, the routes of the tunnel device or the setting `networks`.',
  },
  'network.limit': {
    level: 'warn',
    meaning: 'The server pushed more routes than are taken; those beyond are left out.',
    action: 'Push fewer, larger networks.',
  },
  'session.resynced': {
    level: 'info',
    meaning: 'A snapshot corrected what events had told: clients were added or removed.',
    action: 'None.',
  },
  'session.snapshot_failed': {
    level: 'debug',
    meaning: '`status` was not answered; the next snapshot tells the same.',
    action: 'None.',
  },
  'gateway.found': {
    level: 'info',
    meaning:
      'A gateway was learnt; the kernel sends by it from the pass named on (`firewall.applied`, `appliedPass` of the status).',
    action: 'None.',
  },
  'gateway.moved': {
    level: 'info',
    meaning:
      'Answers of a gateway go to another MAC address now (a failover), or to its own again; its flows follow. `by` says why: an address of it was claimed (`claim`), it gave no sign of life after that (`silence`), or proved alive (`frame`, `answer`), or a command (`command`).',
    action: 'None; if it flaps, see the routers.',
  },
  'gateway.kept': {
    level: 'info',
    meaning: 'Another MAC address claimed one address of a router, and the router lives: its flows stay with it.',
    action:
      'None, where the address is an alias or a virtual one that moved. If the other machine took over the routing of the silent flows too, tell so with `gwmark move`.',
  },
  'gateway.gone': {
    level: 'info',
    meaning: 'A gateway was forgotten; its flows use normal routing.',
    action: 'None.',
  },
  'gateway.limit': {
    level: 'warn',
    meaning: 'A gateway was not learnt because `gateways.max` are known already.',
    action: 'Raise `gateways.max`, or restrict `devices`.',
  },
  'uplink.changed': {
    level: 'info',
    meaning: 'The gateway of last resort is another one now.',
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
    meaning: 'The kernel module does not answer: it was unloaded, or speaks another version.',
    action: 'Load the module again; flows take the normal route meanwhile.',
  },
  'datapath.recovered': {
    level: 'info',
    meaning: 'The kernel module answers again.',
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
      'The address of `metrics.listen` cannot be had, most often because another program has it; it is tried again, and all else goes on.',
    action: 'End the other program, or choose another address and restart the sidecar.',
  },
  'metrics.failed': {
    level: 'error',
    meaning: 'A request for metrics failed because of a fault of the sidecar.',
    action: 'Report it with the log.',
  },
  'control.failed': {
    level: 'error',
    meaning: 'A request on the control socket failed because of a fault of the sidecar.',
    action: 'Report it with the log.',
  },
} as const satisfies Record<string, EventDescription>;

export type LogEvent = keyof typeof LOG_EVENTS;

/** The events of one level, so that a logger method takes only its own. */
export type LogEventAt<Level extends LogLevel> = {
  [Event in LogEvent]: (typeof LOG_EVENTS)[Event]['level'] extends Level ? Event : never;
}[LogEvent];
