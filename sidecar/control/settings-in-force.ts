import * as v from 'valibot';

import { showValue } from '../config/problem.js';
import { type Settings, valueAt, withValue } from '../config/settings.js';
import { type SettingPath, SETTINGS } from '../config/table.js';
import type { StatusDocument } from '../status.js';

const IN_FORCE = SETTINGS.filter(({ isInForce }) => isInForce);

/** A setting whose value in the running sidecar differs from the command's. */
export interface SettingDifference {
  readonly path: SettingPath;
  /** As users write them. */
  readonly running: string;
  readonly own: string;
}

/** The settings with which a command reads the kernel. */
export interface SettingsInForce {
  readonly settings: Settings;
  /** Where they are from: the command's own if no sidecar runs, or one that is too old to say. */
  readonly from: 'sidecar' | 'command';
  readonly differences: readonly SettingDifference[];
}

/** By path, as the YAML file would hold them; for the status document. */
export function plainInForce(settings: Settings): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    IN_FORCE.map((setting) => [setting.path, setting.toPlain(valueAt(settings, setting.path))]),
  );
}

/**
 * The settings of the running sidecar where they matter, the command's own for the rest: a command that knows less
 * than the sidecar (another configuration file, no flags) must not judge by its own.
 *
 * @param status of the sidecar in this network namespace; null if none runs
 */
export function settingsInForce(own: Settings, status: StatusDocument | null): SettingsInForce {
  const running = status?.settings;
  if (running === undefined) return { settings: own, from: 'command', differences: [] };
  let settings = own;
  const differences: SettingDifference[] = [];
  for (const setting of IN_FORCE) {
    const { path } = setting;
    // A setting that a newer sidecar has in another form is omitted.
    const parsed =
      path in running && running[path] !== null
        ? v.safeParse(setting.schema, setting.decode(running[path], 'yaml'))
        : null;
    const value = parsed?.success === true ? parsed.output : running[path] === null ? setting.default : undefined;
    if (value === undefined) continue;
    const [there, here] = [setting.toPlain(value), setting.toPlain(valueAt(own, path))];
    if (JSON.stringify(there) === JSON.stringify(here)) continue;
    differences.push({ path, running: showValue(there), own: showValue(here) });
    settings = withValue(settings, path, value);
  }
  return { settings, from: 'sidecar', differences };
}

/** In words, for the steps of a trace; empty if nothing differs. */
export function describeDifferences(differences: readonly SettingDifference[]): string {
  return differences.map(({ path, running, own }) => `${path} is ${running} there and ${own} here`).join(', ');
}
