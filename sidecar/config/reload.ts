import type { LoadedConfig } from './load.js';
import { buildSettings, type Settings } from './settings.js';
import { type FlatSettings, SETTINGS, type SettingPath } from './table.js';

/** The settings that a running sidecar applies on SIGHUP. */
export const RELOADABLE: ReadonlySet<SettingPath> = new Set(
  SETTINGS.filter(({ isReloadable }) => isReloadable).map(({ path }) => path),
);

/** The part of a running daemon that a changed configuration reaches. */
export interface ReloadTarget {
  /** The configuration is being reloaded. */
  reloading(): void;
  /** Applies the settings of `RELOADABLE`; flows continue. */
  apply(settings: Settings): Promise<void>;
  /** The reload ended, whether anything changed or not. */
  reloaded(): void;
}

/** Where a daemon registers for changed settings. */
export interface Reloads {
  /** Called once at most; before it, a changed configuration is compared and applied to the log alone. */
  attach(target: ReloadTarget): void;
}

/** The effect of a reloaded configuration on a running sidecar. */
export interface Reload {
  /** The settings in force from now on: the new values of what can change, the old ones of the rest. */
  readonly settings: Settings;
  readonly flat: FlatSettings;
  /** What changed and is in force now. */
  readonly applied: readonly SettingPath[];
  /** What changed and takes effect after a restart. */
  readonly pending: readonly SettingPath[];
}

/** Compares the settings in force with the reloaded ones. Pure. */
export function planReload(current: Pick<LoadedConfig, 'flat' | 'settings'>, next: LoadedConfig): Reload {
  const changed = SETTINGS.filter((setting) => {
    const [before, after] = [setting.toPlain(current.flat[setting.path]), setting.toPlain(next.flat[setting.path])];
    return JSON.stringify(before) !== JSON.stringify(after);
  }).map(({ path }) => path);
  const applied = changed.filter((path) => RELOADABLE.has(path));
  const pending = changed.filter((path) => !RELOADABLE.has(path));
  const flat = Object.fromEntries(
    SETTINGS.map(({ path }) => [path, (RELOADABLE.has(path) ? next : current).flat[path]]),
  );
  // Every path of the table is there, each with the value that its own schema gave.
  const typed = flat as unknown as FlatSettings;
  return { settings: buildSettings(typed, next.settings.management.passwords), flat: typed, applied, pending };
}
