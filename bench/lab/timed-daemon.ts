/**
 * A subject: the product's daemon with its real parts, in a process of its own, that tells its parent when an address
 * reached the kernel. What `gwmark run` has and this has not is the control socket.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openNftables } from 'nftables-json';
import { loadConfig } from '../../sidecar/config/load.js';
import { Daemon } from '../../sidecar/daemon/daemon.js';
import { policyOf } from '../../sidecar/config/policy.js';
import { openRouting } from '../../sidecar/routing/open-routing.js';
import { createLogger } from '../../sidecar/log/logger.js';
import { LAN_DEVICE, TRANSPORT_SETTING } from './network.js';
import { stopSignal, tellDriver } from './subject-process.js';
import { timedNftables } from './timed-nftables.js';

const [endpoint = '', directory = ''] = process.argv.slice(2);
const config = await loadConfig(
  {
    flags: new Map([
      ['management.endpoints', [endpoint]],
      ['devices', [LAN_DEVICE]],
      ['transport', [TRANSPORT_SETTING]],
    ]),
    env: {},
    workingDirectory: directory,
    defaultConfigFile: join(directory, 'none.yaml'),
  },
  { endpoints: true },
);
if (!config.ok) throw new Error(JSON.stringify(config.problems));

const { settings } = config;
const stop = stopSignal();
{
  await using logger = createLogger({ ...settings.log, output: process.stderr });
  await using nftables = await openNftables({ executor: settings.executor });
  const timed = timedNftables(nftables, 'client4', (changes) => tellDriver({ kind: 'applied', changes }));
  await using routing = await openRouting(settings, logger);
  const tool = { kind: 'nftables', nft: timed } as const;
  await using daemon = new Daemon(settings, policyOf(settings), 'nexthop', { tool, routing }, logger);
  const running = daemon.run(stop);
  while (!daemon.status().ready && !stop.aborted) await delay(20);
  tellDriver({ kind: 'ready' });
  await running;
}
process.exit(0);
