import type { ByteString } from './bytes.js';
import type { RealtimeMessage } from './realtime-messages.js';

/** Beginnings of the variables that pass at level 2: manage.c env_filter_match, v2.6. */
const PASSING = [
  'username=',
  'password=',
  'X509_0_CN=',
  'tls_serial_',
  'untrusted_ip=',
  'ifconfig_local=',
  'ifconfig_netmask=',
  'daemon_start_time=',
  'daemon_pid=',
  'dev=',
  'ifconfig_pool_remote_ip=',
  'ifconfig_pool_netmask=',
  'time_duration=',
  'bytes_sent=',
  'bytes_received=',
  'session_id=',
  'session_state=',
];
/** Of these events OpenVPN sends what the client told of itself first, unfiltered: manage.c, v2.6. */
const WITH_PEER_INFO = /^(CONNECT|REAUTH|CR_RESPONSE),/;
const PREFIX = '>CLIENT:ENV,';

/**
 * The text of a message as OpenVPN would send it after `env-filter LEVEL`; the messages that come are those of level 0.
 * What a client told of itself (`IV_`, `UV_`) comes in its own order, which is the reverse of the environment's.
 */
export function filterEnvironment({ type, rest, text }: RealtimeMessage, level: number): ByteString {
  if (level === 0 || type !== 'CLIENT' || rest.startsWith('ADDRESS,')) return text;
  const lines = text.split('\r\n').slice(0, -1);
  const header = lines.filter((line) => !line.startsWith(PREFIX));
  const variables = lines.filter((line) => line.startsWith(PREFIX)).map((line) => line.slice(PREFIX.length));
  const peerInfo = WITH_PEER_INFO.test(rest)
    ? variables.filter((variable) => /^[IU]V_/.test(variable)).toReversed()
    : [];
  const passing = [...peerInfo, ...variables.filter((variable) => passes(variable, level)), 'END'];
  return [...header, ...passing.map((variable) => PREFIX + variable), ''].join('\r\n');
}

function passes(variable: ByteString, level: number): boolean {
  if (level <= 1 && variable.startsWith('X509_')) return true;
  return level <= 2 && PASSING.some((beginning) => variable.startsWith(beginning));
}
