import { showValue } from '../config/problem.js';
import type { Settings } from '../config/settings.js';
import { type SettingPath, settingOf } from '../config/table.js';
import type { StatusDocument } from '../status.js';

/** Settings that decide what the kernel is told, and so what a command finds there. None of them is a secret. */
const IN_FORCE = [
  'networks',
  'uplink',
  'authorize',
  'hold',
  'datapath',
  'devices',
  'table',
  'firewall',
  'iptables.flavour',
  'mark.mask',
  'routing.protocol',
  'routing.tableBase',
  'routing.priority',
  'routing.fallbackPriority',
  'routing.nexthop4',
  'routing.nexthop6',
  'gateways.max',
  'gateways.learnOnlink',
  'gateways.exclude',
  'gateways.only',
  'sysctl',
  'conntrack',
] as const satisfies readonly SettingPath[];

/** A setting that a running sidecar works with, and that the command was told otherwise. */
export interface SettingDifference {
  readonly path: SettingPath;
  /** As people write them. */
  readonly running: string;
  readonly own: string;
}

/** With which settings a command reads the kernel. */
export interface SettingsInForce {
  readonly settings: Settings;
  /** Where they are from: the command's own where no sidecar runs, or one that is too old to tell. */
  readonly from: 'sidecar' | 'command';
  readonly differences: readonly SettingDifference[];
}

/** By path, as the YAML file would hold them; for the status document. */
export function plainInForce(settings: Settings): Readonly<Record<string, unknown>> {
  return Object.fromEntries(IN_FORCE.map((path) => [path, settingOf(path).toPlain(valueAt(settings, path))]));
}

/**
 * The settings of the running sidecar where they matter, the command's own for the rest: a command that is told less
 * than the sidecar (another configuration file, no flags) must not judge by what it was told.
 *
 * @param status of the sidecar in this network namespace; null where none runs
 */
export function settingsInForce(own: Settings, status: StatusDocument | null): SettingsInForce {
  const running = status?.settings;
  if (running === undefined) return { settings: own, from: 'command', differences: [] };
  let settings = own;
  const differences: SettingDifference[] = [];
  for (const path of IN_FORCE) {
    const setting = settingOf(path);
    // One that a newer sidecar has in another form is left out.
    const parsed =
      path in running && running[path] !== null
        ? setting.schema.safeParse(setting.decode(running[path], 'yaml'))
        : null;
    const value = parsed?.success === true ? parsed.data : running[path] === null ? setting.default : undefined;
    if (value === undefined) continue;
    const [there, here] = [setting.toPlain(value), setting.toPlain(valueAt(own, path))];
    if (JSON.stringify(there) === JSON.stringify(here)) continue;
    differences.push({ path, running: showValue(there), own: showValue(here) });
    settings = withValue(settings, path, value);
  }
  return { settings, from: 'sidecar', differences };
}

/** In words, for the steps of a trace; empty where nothing differs. */
export function describeDifferences(differences: readonly SettingDifference[]): string {
  return differences.map(({ path, running, own }) => `${path} is ${running} there and ${own} here`).join(', ');
}

function valueAt(settings: Settings, path: SettingPath): unknown {
  const [first = '', second] = path.split('.');
  const value = (settings as unknown as Readonly<Record<string, unknown>>)[first];
  return second === undefined ? value : (value as Readonly<Record<string, unknown>>)[second];
}

/** The value is one that the schema of that path gave. */
function withValue(settings: Settings, path: SettingPath, value: unknown): Settings {
  const [first = '', second] = path.split('.');
  if (second === undefined) return { ...settings, [first]: value };
  const group = (settings as unknown as Readonly<Record<string, object>>)[first];
  return { ...settings, [first]: { ...group, [second]: value } };
}
