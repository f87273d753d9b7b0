import type { Family } from '../../rules/index.js';
import type { ToldSocket } from './told-sockets.js';
import { addressOf } from './told-sockets.js';

/** What OpenVPN's log says about its latest start. */
export interface LoggedStart {
  /** In the order of the log; empty for a client, which has none of its own. */
  readonly sockets: readonly ToldSocket[];
  /** The tunnel device that it opened, or kept from the start before. */
  readonly device: string | null;
}

/** init.c print_openvpn_info() and main(): a start of the process, and one inside of it. */
const BEGIN = /^(OpenVPN \d\S* |SIG(USR1|HUP)\[.*\] received, process restarting$)/;
/** init.c initialization_sequence_completed(); what comes later is about clients. */
const END = /^Initialization Sequence Completed/;
/** socket.c link_socket_init_phase2() and socket_listen_accept() */
const BOUND = /^(UDP|TCP)v[46]\S* link local \(bound\): \[AF_INET(6?)\](\S+)$/;
const LISTENING = /^Listening for incoming (TCP) connection on \[AF_INET(6?)\](\S+)$/;
/** tun.c, dco_linux.c, networking_sitnl.c: 2.5 to 2.7, and the line of a tunnel that persists. */
const OPENED =
  /^(?:TUN\/TAP device|tun\/tap device|DCO device) \[?([^\s\]]+)\]? opened|^net_iface_new: add (\S+) type ovpn|^Preserving previous TUN\/TAP instance: (\S+)|^Preserving previous tun\/tap instance: (\S+)/i;

/**
 * Reads the history of a log. It is as long as `--management-log-cache` says, so the start may have gone from it: then
 * it tells nothing, for of several sockets the first may be missing. Lines about a client begin with its name or
 * address, and never match.
 *
 * @param lines the messages, oldest first
 * @returns null without the whole of the latest start
 */
export function readLoggedStart(lines: readonly string[]): LoggedStart | null {
  const begin = lines.findLastIndex((line) => BEGIN.test(line));
  if (begin === -1) return null;
  const length = lines.slice(begin).findIndex((line) => END.test(line));
  const start = lines.slice(begin, length === -1 ? undefined : begin + length);
  const sockets = start.flatMap((line) => toSocket(BOUND.exec(line) ?? LISTENING.exec(line)) ?? []);
  // A TCP socket is logged twice.
  const distinct = [...new Map(sockets.map((socket) => [JSON.stringify(socket), socket])).values()];
  const opened = start
    .map((line) =>
      OPENED.exec(line)
        ?.slice(1)
        .find((name) => name !== undefined),
    )
    .findLast((name) => name !== undefined);
  return { sockets: distinct, device: opened ?? null };
}

function toSocket(match: RegExpExecArray | null): ToldSocket | null {
  const [, protocol, six, place = ''] = match ?? [];
  const colon = place.lastIndexOf(':');
  const port = Number(place.slice(colon + 1));
  if (protocol === undefined || !(port > 0)) return null;
  const family: Family = six === '6' ? 6 : 4;
  const text = place.slice(0, colon);
  const address = text === '[undef]' ? null : addressOf(text);
  return address === undefined
    ? null
    : { protocol: protocol === 'UDP' ? 'udp' : 'tcp', families: [family], address, port };
}
