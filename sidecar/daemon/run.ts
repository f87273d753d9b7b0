import { setFlagsFromString } from 'node:v8';
import { readVersion } from '../config/version.js';
import type { Reloads } from '../config/reload.js';
import type { Settings } from '../config/settings.js';
import type { DatapathKind } from '../datapath/datapath.js';
import { loadModule } from '../datapath/module/proc.js';
import { ControlServer } from '../control/server.js';
import { GwmarkError } from '../errors.js';
import { nameOf, openFirewallTool } from '../firewall/open-firewall.js';
import { LiveFeed } from '../live/live-feed.js';
import type { Logger } from '../log/logger.js';
import type { Metrics } from '../metrics/metrics.js';
import { openRouting } from '../routing/open-routing.js';
import { Notifier } from '../system/notifier.js';
import { Daemon } from './daemon.js';
import { policyOf } from '../config/policy.js';

/**
 * The command `run`: works until the signal is aborted, then drains and resolves. Traffic continues: rules, routes and
 * neighbours stay as they are until `gwmark down`. The service manager is told once the start is over: every OpenVPN
 * was heard of or tried without success, and the kernel has the rules.
 *
 * @throws GwmarkError if it cannot start; nothing was changed then
 */
export async function runDaemon(
  settings: Settings,
  logger: Logger,
  signal: AbortSignal,
  reloads: Reloads,
): Promise<void> {
  // After start-up the young generation need not grow, and the old one is collected before it has grown much: a storm
  // of connects then stays some 35 MB smaller, for a twentieth more processor time.
  for (const flag of ['--semi-space-growth-factor=1', '--optimize-for-size']) setFlagsFromString(flag);
  const datapath = await selectDatapath(settings, logger);
  await using tool = await openFirewallTool(settings, logger);
  await using routing = await openRouting(settings, logger);
  await using daemon = new Daemon(settings, policyOf(settings), datapath, { tool, routing }, logger);
  using feed = new LiveFeed({
    status: () => daemon.status(),
    refresh: () => daemon.settle(),
    onLook: () => daemon.count(),
    onFault: (error) => logger.error('control.failed', { url: '/live', error }),
  });
  await using control = await ControlServer.open({
    path: settings.controlSocket,
    status: () => daemon.status(),
    readiness: () => daemon.readiness(),
    refresh: () => daemon.settle(),
    feed,
    orders: {
      move: (order) => daemon.move(order),
      forget: (order) => daemon.forget(order),
      kick: (order) => daemon.kick(order),
      release: (order) => daemon.release(order),
    },
    logger,
  });
  logger.info('daemon.started', {
    version: readVersion(),
    firewall: nameOf(tool),
    ...(tool.kind === 'nftables' ? { executor: tool.nft.executor } : {}),
    routing: routing.by,
    controlSocket: control.path,
  });
  await using metrics = await openMetrics(settings, daemon, logger);
  using notifier = await Notifier.open(process.env, logger);
  const tell = (): void => notifier.status(daemon.summary());
  reloads.attach({
    reloading: () => notifier.reloading(),
    apply: (changed) => daemon.reconfigure(changed),
    reloaded: () => notifier.reloaded(),
  });
  signal.addEventListener('abort', () => notifier.stopping(), { once: true });
  await daemon.run(signal, {
    onStarted: () => {
      tell();
      notifier.ready();
    },
    onLooked: tell,
    onPass: (pass) => metrics?.passed(pass),
  });
}

/** Null where nobody watches: then not even the library is loaded. */
async function openMetrics(settings: Settings, daemon: Daemon, logger: Logger): Promise<Metrics | null> {
  const { listen } = settings.metrics;
  if (listen === null) return null;
  const { Metrics: Opened } = await import('../metrics/metrics.js');
  return new Opened(listen, daemon, logger);
}

/** The module if it is loaded or can be, unless the settings say otherwise. */
async function selectDatapath(settings: Settings, logger: Logger): Promise<DatapathKind> {
  const isForced = settings.datapath !== 'auto';
  const hasModule = settings.datapath !== 'nexthop' && (await loadModule());
  if (settings.datapath === 'module' && !hasModule) {
    throw new GwmarkError(
      'DATAPATH_UNAVAILABLE',
      'datapath: module is set, but the kernel module gwmark is not loaded and modprobe cannot load it',
    );
  }
  const datapath = hasModule ? 'module' : 'nexthop';
  logger.info('datapath.selected', { datapath, isForced });
  return datapath;
}
