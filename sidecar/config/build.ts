import type { Secret } from 'openvpn-management-client';
import type { Settings } from './settings.js';
import { type FlatSettings, SETTINGS } from './table.js';

/**
 * Puts flat values into the nested form and freezes it deeply.
 *
 * @param passwords what the password files hold, by their absolute paths
 */
export function buildSettings(flat: FlatSettings, passwords: ReadonlyMap<string, Secret>): Settings {
  return deepFreeze({
    management: {
      endpoints: flat['management.endpoints'],
      passwordFile: flat['management.passwordFile'],
      passwords,
      connectTimeoutMs: flat['management.connectTimeoutMs'],
      commandTimeoutMs: flat['management.commandTimeoutMs'],
      snapshotIntervalMs: flat['management.snapshotIntervalMs'],
      pollIntervalMs: flat['management.pollIntervalMs'],
      backoffMinMs: flat['management.backoffMinMs'],
      backoffMaxMs: flat['management.backoffMaxMs'],
      role: flat['management.role'],
    },
    transport: flat.transport,
    networks: flat.networks,
    uplink: flat.uplink,
    authorize: flat.authorize,
    hold: flat.hold,
    datapath: flat.datapath,
    devices: flat.devices,
    table: flat.table,
    firewall: flat.firewall,
    iptables: { flavour: flat['iptables.flavour'] },
    executor: flat.executor,
    mark: { mask: flat['mark.mask'] },
    routing: {
      protocol: flat['routing.protocol'],
      tableBase: flat['routing.tableBase'],
      priority: flat['routing.priority'],
      fallbackPriority: flat['routing.fallbackPriority'],
      nexthop4: flat['routing.nexthop4'],
      nexthop6: flat['routing.nexthop6'],
      rereadIntervalMs: flat['routing.rereadIntervalMs'],
    },
    gateways: {
      max: flat['gateways.max'],
      pollIntervalMs: flat['gateways.pollIntervalMs'],
      learnOnlink: flat['gateways.learnOnlink'],
      exclude: flat['gateways.exclude'],
      only: flat['gateways.only'],
    },
    sysctl: flat.sysctl,
    conntrack: flat.conntrack,
    controlSocket: flat.controlSocket,
    metrics: { listen: flat['metrics.listen'] },
    log: { level: flat['log.level'], format: flat['log.format'] },
  });
}

/** The values as the YAML file would hold them, nested; reading it back gives the same settings. */
export function toPlainSettings(flat: FlatSettings): Readonly<Record<string, unknown>> {
  const plain: Record<string, unknown> = {};
  for (const setting of SETTINGS) {
    const { path } = setting;
    const [first = path, second] = path.split('.');
    const value = setting.toPlain(flat[path]);
    if (second === undefined) plain[first] = value;
    else plain[first] = { ...(plain[first] as object | undefined), [second]: value };
  }
  return plain;
}

function deepFreeze<T extends object>(value: T): T {
  for (const item of Object.values(value) as unknown[]) {
    if (typeof item === 'object' && item !== null && !Object.isFrozen(item)) deepFreeze(item);
  }
  return Object.freeze(value);
}
