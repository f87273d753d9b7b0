import type { Secret } from 'openvpn-management-client';

import { type FlatSettings, SETTINGS, type SettingPath } from './table.js';

export type { ConfiguredEndpoint } from './endpoint.js';
export type { PassThroughPlace } from './pass-through-socket.js';
export type {
  ConfiguredAnswer,
  ConfiguredNetwork,
  ConfiguredSource,
  ConfiguredTransport,
  ConfiguredUplink,
} from './places.js';
export type { ConfiguredTunnel } from './tunnel.js';

/** `management`, `routing`: the part before the dot of a path. */
type Group<Path extends SettingPath = SettingPath> = Path extends `${infer Name}.${string}` ? Name : never;

/** The table's paths as a tree: `management.endpoints` is the member `endpoints` of `management`. */
type Nested = {
  readonly [Path in SettingPath as Path extends `${string}.${string}` ? never : Path]: FlatSettings[Path];
} & {
  readonly [Name in Group]: {
    readonly [Path in SettingPath as Path extends `${Name}.${infer Member}` ? Member : never]: FlatSettings[Path];
  };
};

/**
 * The whole configuration of a sidecar, parsed, checked and deeply frozen. Its type follows from the table of
 * settings, where ranges, defaults and the meaning of each are.
 */
export type Settings = Nested & {
  readonly management: {
    /** The content of each password file when the configuration was read, by absolute path. */
    readonly passwords: ReadonlyMap<string, Secret>;
  };
};

/**
 * Converts flat values to the nested form and freezes it deeply.
 *
 * @param passwords what the password files hold, by their absolute paths
 */
export function buildSettings(flat: FlatSettings, passwords: ReadonlyMap<string, Secret>): Settings {
  const nested = nest((path) => flat[path]);
  // Each value is at the place that its path says, as in the type.
  return deepFreeze({ ...nested, management: { ...(nested['management'] as object), passwords } } as Settings);
}

/** The values as the YAML file would hold them, nested; reading it back gives the same settings. */
export function toPlainSettings(flat: FlatSettings): Readonly<Record<string, unknown>> {
  const plain = new Map(SETTINGS.map((setting) => [setting.path, setting.toPlain(flat[setting.path])]));
  return nest((path) => plain.get(path));
}

/** The value of one setting. */
export function valueAt(settings: Settings, path: SettingPath): unknown {
  const [first = '', second] = path.split('.');
  const value: unknown = Reflect.get(settings, first);
  return second === undefined ? value : Reflect.get(value as object, second);
}

/** The settings with another value for one, which the schema of that path gave. */
export function withValue(settings: Settings, path: SettingPath, value: unknown): Settings {
  const [first = '', second] = path.split('.');
  if (second === undefined) return { ...settings, [first]: value };
  return { ...settings, [first]: { ...(Reflect.get(settings, first) as object), [second]: value } };
}

function nest(valueOf: (path: SettingPath) => unknown): Readonly<Record<string, unknown>> {
  const nested: Record<string, unknown> = {};
  for (const { path } of SETTINGS) {
    const [first = path, second] = path.split('.');
    const value = valueOf(path);
    nested[first] = second === undefined ? value : { ...(nested[first] as object | undefined), [second]: value };
  }
  return nested;
}

function deepFreeze<T extends object>(value: T): T {
  for (const item of Object.values(value) as unknown[]) {
    if (typeof item === 'object' && item !== null && !Object.isFrozen(item)) deepFreeze(item);
  }
  return Object.freeze(value);
}
