import type { EventDescription } from './levels.js';

/** Events of VPNs of other programs: a part of `LOG_EVENTS`. */
export const SOURCE_EVENTS = {
  'source.ready': {
    level: 'info',
    meaning:
      'The device of a VPN of another program (`tunnels`, `wireguard`) is up, and its transport is known; `source` has its name.',
    action: 'None.',
  },
  'source.waiting': {
    level: 'warn',
    meaning:
      'A VPN of another program cannot be served: its device does not exist, is down or was renamed, or its program does not answer; see `reason`. gwmark waits for it.',
    action: 'Start the other program, or correct `tunnels` or `wireguard`.',
  },
  'peer.connected': {
    level: 'info',
    meaning:
      'A peer of another VPN is connected: it shook hands within `wireguard.handshakeTimeout`, or always counts as connected.',
    action: 'None.',
  },
  'peer.gone': {
    level: 'info',
    meaning: 'A peer of another VPN was removed, or its last handshake is too old; its rules were removed.',
    action: 'None; for a peer that is silent for long: `PersistentKeepalive`, or `wireguard.handshakeTimeout: 0`.',
  },
  'network.shared': {
    level: 'warn',
    meaning:
      'Two VPNs lead to the same network on different devices (`devices` has the others); the one that came last is served.',
    action: 'Remove the network from one of them.',
  },
} as const satisfies Record<string, EventDescription>;
