import { legsTable, type Policy } from '../../../rules/index.js';
import type { IpRoute } from '../../routing/iproute.js';
import { ipJson } from '../../routing/iproute.js';
import { readSysctl } from '../../system/sysctl.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

interface Facts {
  readonly device: string;
  /** `net.ipv4.conf.all.rp_filter` and the device's own; the larger one is in force (ip-sysctl.rst). */
  readonly all: number;
  readonly own: number;
  readonly datapath: 'nexthop' | 'module';
  /** The sidecar turns the device's own one off, with the datapath `module`. */
  readonly isManaged: boolean;
  readonly isRunning: boolean;
  /**
   * With several links: devices of the multipath route for a strict filter, as the kernel has it. Null with one link.
   */
  readonly legs: readonly string[] | null;
}

/** rp_filter drops no packets of the VPN. */
export const reversePath: Check = {
  name: 'rp-filter',
  doc: 'rp_filter drops no packet of the VPN. The datapath `nexthop` has routes that satisfy it, with several links a multipath route over all of them; `module` has none, so rp_filter must be off on the links.',
  needsNetAdmin: false,
  look: async (system) => {
    const datapath = await system.datapath();
    const isRunning = (await system.status().catch(() => null)) !== null;
    const all = Number((await readSysctl('net/ipv4/conf/all/rp_filter')) ?? 0);
    const links = await system.links();
    const legs = links.length > 1 && datapath === 'nexthop' ? await readLegs(system.policy) : null;
    return Promise.all(
      links.map(async ({ ifname: device }) => {
        const own = Number((await readSysctl(`net/ipv4/conf/${device}/rp_filter`)) ?? 0);
        return judgeReversePath({
          device,
          all,
          own,
          datapath,
          isManaged: system.settings.sysctl === 'manage',
          isRunning,
          legs,
        });
      }),
    );
  },
};

async function readLegs(policy: Policy): Promise<readonly string[]> {
  // `ip` rejects a table that was never used.
  const routes = await ipJson<IpRoute>(['-N', '-4', 'route', 'show', 'table', String(legsTable(policy))]).catch(
    () => [],
  );
  return routes.flatMap(({ dev, nexthops = [] }) =>
    [dev, ...nexthops.map((nexthop) => nexthop.dev)].filter((leg) => leg !== undefined),
  );
}

export function judgeReversePath({ device, all, own, datapath, isManaged, isRunning, legs }: Facts): Judgement {
  const subject = `rp_filter of ${device}`;
  const value = Math.max(all, own);
  if (value === 0) return fine(subject, '0');
  if (datapath === 'nexthop' && value === 1 && isRunning && legs?.includes(device) === false) {
    return {
      severity: 'error',
      subject,
      found:
        '1 (strict), but gwmark has no route over this device: packets from it are dropped unless the endpoint has a route back',
      expected: 'a multipath route over every link in the table of the legs',
      remedy: `a running sidecar installs it, or says in "gwmark status" why it cannot (a kernel without CONFIG_IP_ROUTE_MULTIPATH); otherwise sysctl -w net.ipv4.conf.${device}.rp_filter=2`,
    };
  }
  if (datapath === 'nexthop') return fine(subject, `${value}`, 'any: the routes of nexthop satisfy it');
  if (all === 0 && isManaged && !isRunning)
    return {
      severity: 'info',
      subject,
      found: `${value}`,
      expected: '0',
      remedy: 'none needed: gwmark run disables it',
    };
  const culprit = all > 0 ? 'all' : device;
  return {
    severity: 'error',
    subject,
    found: `${value} (net.ipv4.conf.${culprit}.rp_filter): packets without a route back to their source are dropped`,
    expected: '0 with the datapath module',
    remedy: `sysctl -w net.ipv4.conf.${culprit}.rp_filter=0`,
  };
}
