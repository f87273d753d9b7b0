import type { BridgePort } from '../../discovery/bridge-ports.js';
import { readBridgePorts } from '../../discovery/bridge-ports.js';
import { parseModuleStats, readRecords } from '../../datapath/module/proc.js';
import { type IpsecPolicy, readIpsecPolicies } from '../../routing/ipsec-policies.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

interface Facts {
  readonly datapath: 'nexthop' | 'module';
  /** Counters of the module since it was loaded. */
  readonly stats: ReadonlyMap<string, number>;
  readonly ipsec: readonly IpsecPolicy[];
  /** Of bridges that are links. */
  readonly ports: readonly BridgePort[];
}

/** What the kernel would refuse, or do otherwise, and the module therefore leaves to it. */
export const kernelPolicy: Check = {
  name: 'kernel-policy',
  doc: 'Ports of a bridge that is a link from which it takes no frame (STP) or only some (802.1X). With the datapath `module` also packets of the VPN that the kernel alone would refuse or treat differently, which the module leaves to it: IPsec policies for packets that leave, sources that rp_filter drops, frames to all.',
  needsNetAdmin: true,
  look: async (system) => {
    const datapath = await system.datapath();
    const isPresent = (await system.module()).state === 'present';
    const links = (await system.links()).map(({ ifname }) => ifname);
    return judgeKernelPolicy({
      datapath,
      stats: parseModuleStats(isPresent ? await readRecords('stats') : []),
      ipsec: await readIpsecPolicies(),
      ports: (await readBridgePorts()).filter(({ bridge }) => links.includes(bridge)),
    });
  },
};

/** What a counter of the module tells, and what to do about it. */
const COUNTERS: readonly (Omit<Judgement, 'found' | 'expected'> & { readonly names: readonly string[] })[] = [
  {
    names: ['return_bad_source'],
    severity: 'warn',
    subject: 'packets with a source that the kernel drops',
    remedy: 'find out who sends them; if they are clients: sysctl net.ipv4.conf.TUNNEL.rp_filter=0',
  },
  {
    names: ['learn_not_host', 'return_not_host'],
    severity: 'warn',
    subject: 'packets in frames to all, or to another host',
    remedy: "let that router send to the endpoint's own MAC address",
  },
  {
    names: ['return_ipsec', 'output_ipsec', 'transmit_ipsec'],
    severity: 'info',
    subject: 'packets that an IPsec policy took',
    remedy: 'none needed if that is intended; else see "ip xfrm policy"',
  },
];

export function judgeKernelPolicy({ datapath, stats, ipsec, ports }: Facts): readonly Judgement[] {
  const expected = 'nothing that the kernel alone would refuse';
  const counted = COUNTERS.flatMap(({ names, ...judgement }): readonly Judgement[] => {
    const found = names.flatMap((name) => ((stats.get(name) ?? 0) > 0 ? [`${name} ${stats.get(name)}`] : []));
    return found.length === 0 ? [] : [{ ...judgement, found: found.join(', '), expected: 'none' }];
  });
  const policies = ipsec
    .filter(({ action }) => action !== 'none')
    .map(({ selector, action }): Judgement => ({
      severity: 'info',
      subject: 'IPsec policy for packets out',
      found: `${selector} ${action === 'drop' ? 'drops' : 'encrypts'} what it matches, whatever its gateway`,
      expected: 'none for the VPN, unless intended',
      remedy: 'none needed if that is intended; else see "ip xfrm policy"',
    }));
  const idle = ports
    .filter(({ state, isLocked }) => state !== 'forwarding' || isLocked)
    .map(({ device, bridge, state, isLocked }): Judgement => ({
      severity: 'info',
      subject: `port ${device} of ${bridge}`,
      found:
        state === 'forwarding'
          ? 'locked (802.1X): only frames of senders that were let in are captured'
          : `${state} (STP): no frame from it is captured`,
      expected: isLocked ? 'any' : 'forwarding, or another port takes its place',
      remedy: 'none needed if that is intended; else see "bridge -d link"',
    }));
  if (datapath === 'nexthop')
    return idle.length > 0
      ? idle
      : [fine("the kernel's own policy", 'applies: the datapath nexthop has the kernel route', 'any')];
  const found = [...counted, ...policies, ...idle];
  return found.length > 0 ? found : [fine("the kernel's own policy", 'refused nothing', expected)];
}
