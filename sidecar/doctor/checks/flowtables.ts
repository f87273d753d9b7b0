import type { ForeignFlowtable } from '../../firewall/flowtables.js';
import { foreignFlowtables } from '../../firewall/flowtables.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

/** A flowtable of another program does not lead flows past gwmark. */
export const flowtables: Check = {
  name: 'flowtables',
  doc: "No flowtable of another program (`flow add` in FORWARD: OpenWrt, some firewalls) takes the VPN's flows past the hooks. With the datapath `nexthop` that does no harm: a chain of gwmark in FORWARD tells it the way to the gateway. The datapath `module` sends by a hook, which such flows never pass: nothing reaches the router then.",
  needsNetAdmin: true,
  look: async (system) => {
    const devices = [...(await system.links()), ...(await system.tunnels())].map(({ ifname }) => ifname);
    return judgeFlowtables(
      foreignFlowtables(await system.ruleset(), system.settings.table, devices),
      await system.datapath(),
    );
  },
};

export function judgeFlowtables(
  found: readonly ForeignFlowtable[],
  datapath: 'nexthop' | 'module',
): readonly Judgement[] {
  const subject = 'flowtables of other programs';
  const expected = 'none that holds devices of the VPN, or the datapath nexthop';
  if (found.length === 0) return [fine(subject, 'none that holds a link or a tunnel', expected)];
  return found.map((flowtable): Judgement => {
    const holds = `${flowtable.where} holds ${flowtable.devices.join(', ')}`;
    if (datapath === 'nexthop') return fine(subject, `${holds}: it is told the way to the gateway`, expected);
    return {
      severity: 'error',
      subject,
      found: `${holds}: flows that it takes pass the module, and their answers do not reach the router`,
      expected,
      remedy: remedyOfFlowtable(flowtable),
    };
  });
}

/** How flows are kept out of a flowtable beside the module. */
export function remedyOfFlowtable({ devices }: ForeignFlowtable): string {
  return `set datapath: nexthop, or take ${devices.join(' and ')} out of the flowtable`;
}
