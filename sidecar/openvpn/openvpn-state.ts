import type { State } from 'openvpn-management-client';

/** States that a server never has: manage.c man_state_name and its callers, OpenVPN 2.6. */
const CLIENT_STATES: ReadonlySet<string> = new Set([
  'RESOLVE',
  'TCP_CONNECT',
  'WAIT',
  'AUTH',
  'AUTH_PENDING',
  'GET_CONFIG',
]);

/** True when only an OpenVPN client, or one side of a point-to-point tunnel, can be in this state. */
export function isClientState({ name, remoteAddress }: State): boolean {
  return CLIENT_STATES.has(name) || (name === 'CONNECTED' && remoteAddress !== undefined);
}

/** OpenVPN starts again, or ends: nobody is connected any more. */
export function isRestart(name: string): boolean {
  return name === 'RECONNECTING' || name === 'EXITING';
}
