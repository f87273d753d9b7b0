import { MAX_IPTABLES_TABLE_LENGTH } from '../../rules/iptables-names.js';
import { formatEndpoint, MAX_SOCKET_PATH_BYTES } from 'openvpn-management-client/endpoint';
import { placeOf } from './endpoint.js';
import { formatMask, maskBits } from './setting-types.js';
import { type ConfigProblem, formatSource, showValue } from './problem.js';
import type { Origins } from './sources.js';
import { type FlatSettings, settingOf, type SettingPath } from './table.js';

/** Each probe of gateways lists neighbours and counters. */
const MIN_PROBE_MS = 100;

/** A condition between settings that are each valid alone. */
interface Clash {
  /** The setting that the message names first. */
  readonly path: SettingPath;
  /** No clash is reported if one of these is itself invalid. */
  readonly involves: readonly SettingPath[];
  /** What would have been right, or undefined if all is well. */
  readonly check: (settings: FlatSettings) => string | undefined;
}

const CLASHES: readonly Clash[] = [
  {
    path: 'tunnels',
    involves: ['tunnels'],
    check: ({ tunnels }) => {
      const twice = tunnels
        .flatMap(({ networks, device }) => networks.map((network) => ({ network, device })))
        .flatMap(({ network, device }, index, all) => {
          const first = all.findIndex((other) => other.network === network);
          return first === index ? [] : [`${network} on ${all[first]?.device} or on ${device}, not on both`];
        });
      return twice[0];
    },
  },
  {
    path: 'wireguard.interfaces',
    involves: ['wireguard.interfaces', 'tunnels'],
    check: ({ tunnels, ...settings }) => {
      const twice = settings['wireguard.interfaces'].find((name) => tunnels.some(({ device }) => device === name));
      return twice === undefined ? undefined : `${twice} here or in tunnels, not in both`;
    },
  },
  {
    path: 'table',
    involves: ['table', 'firewall'],
    check: ({ table, firewall }) =>
      firewall === 'iptables' && table.length > MAX_IPTABLES_TABLE_LENGTH
        ? `at most ${MAX_IPTABLES_TABLE_LENGTH} characters with firewall: iptables`
        : undefined,
  },
  {
    path: 'gateways.max',
    involves: ['gateways.max', 'mark.mask'],
    check: (settings) => {
      const largest = 2 ** maskBits(settings['mark.mask']) - 2;
      if (settings['gateways.max'] <= largest) return undefined;
      return `an integer in 1..${largest}, less than the largest number that mark.mask ${formatMask(settings['mark.mask'])} holds`;
    },
  },
  {
    path: 'gateways.answer',
    involves: ['gateways.answer', 'datapath'],
    check: (settings) =>
      settings['gateways.answer'].length > 0 && settings.datapath === 'module'
        ? 'nothing with datapath: module, which has no such policies'
        : undefined,
  },
  {
    path: 'gateways.probeIntervalMs',
    involves: ['gateways.probeIntervalMs', 'datapath'],
    check: (settings) => {
      const interval = settings['gateways.probeIntervalMs'];
      if (interval === 0) return undefined;
      if (interval < MIN_PROBE_MS) return `0, or an integer in ${MIN_PROBE_MS}..60000 (ms)`;
      return settings.datapath === 'module' ? '0 with datapath: module, which does not probe' : undefined;
    },
  },
  {
    path: 'management.backoffMaxMs',
    involves: ['management.backoffMinMs', 'management.backoffMaxMs'],
    check: (settings) => {
      const least = settings['management.backoffMinMs'];
      return settings['management.backoffMaxMs'] >= least
        ? undefined
        : `at least management.backoffMinMs, which is ${least}`;
    },
  },
  {
    path: 'controlSocket',
    involves: ['controlSocket'],
    check: (settings) => {
      const path = settings.controlSocket;
      if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) return undefined;
      return `an absolute path of at most ${MAX_SOCKET_PATH_BYTES} bytes`;
    },
  },
  {
    path: 'controlSocket',
    involves: ['controlSocket', 'management.endpoints'],
    check: (settings) => {
      const taken = settings['management.endpoints'].some(
        (endpoint) => endpoint.kind === 'unix' && endpoint.path === settings.controlSocket,
      );
      return taken ? 'a path that is not in management.endpoints' : undefined;
    },
  },
  {
    path: 'metrics.listen',
    involves: ['metrics.listen', 'controlSocket', 'management.endpoints'],
    check: (settings) => {
      const listen = settings['metrics.listen'];
      if (listen === null) return undefined;
      if (listen.kind === 'unix' && listen.path === settings.controlSocket) return 'another path than controlSocket';
      const taken = settings['management.endpoints'].some((endpoint) => placeOf(endpoint) === placeOf(listen));
      return taken ? 'an address that is not in management.endpoints' : undefined;
    },
  },
  {
    path: 'passThrough',
    involves: ['passThrough', 'management.endpoints', 'controlSocket', 'metrics.listen'],
    check: (settings) => {
      const { passThrough, controlSocket } = settings;
      const metrics = settings['metrics.listen'];
      const others = new Map([
        ...settings['management.endpoints'].map((endpoint) => [placeOf(endpoint), 'management.endpoints'] as const),
        [`unix:${controlSocket}`, 'controlSocket'],
        [`unix:${controlSocket}.admin`, 'controlSocket'],
        ...(metrics === null ? [] : [[placeOf(metrics), 'metrics.listen'] as const]),
      ]);
      const other = passThrough.map((place) => others.get(placeOf(place))).find((name) => name !== undefined);
      return other === undefined ? undefined : `an address that is not in ${other}`;
    },
  },
  {
    path: 'passThrough',
    involves: ['passThrough', 'management.endpoints'],
    check: (settings) => {
      const names = settings['management.endpoints'].map((endpoint) => formatEndpoint(endpoint));
      // Without one, that is the error.
      if (names.length === 0) return undefined;
      const isClear = settings.passThrough.every(({ management }) =>
        management === undefined ? names.length === 1 : names.includes(management),
      );
      return isClear ? undefined : `each entry to be followed by @ENDPOINT, one of ${names.join(', ')}`;
    },
  },
];

/**
 * Finds settings that contradict each other. Pure.
 *
 * @param faulty paths of settings that are invalid themselves
 */
export function findClashes(
  settings: FlatSettings,
  origins: Origins,
  faulty: ReadonlySet<string>,
): readonly ConfigProblem[] {
  return CLASHES.flatMap(({ path, involves, check }): readonly ConfigProblem[] => {
    if (involves.some((involved) => faulty.has(involved))) return [];
    const expected = check(settings);
    if (expected === undefined) return [];
    const source = formatSource(origins.get(path) ?? { kind: 'default' });
    return [{ path, source, value: showValue(settingOf(path).toPlain(settings[path])), expected }];
  });
}
