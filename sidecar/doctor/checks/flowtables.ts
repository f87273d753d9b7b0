import type { ForeignFlowtable } from '../../firewall/flowtables.js';
import { foreignFlowtables } from '../../firewall/flowtables.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

/** No flowtable of another program makes flows bypass gwmark. */
export const flowtables: Check = {
  name: 'flowtables',
  doc: "No flowtable of another program (`flow add` in FORWARD: OpenWrt, some firewalls) makes the VPN's flows bypass the hooks. With the datapath `nexthop` this does no harm: a chain of gwmark in FORWARD gives it the route to the gateway. The datapath `module` sends packets from a hook that such flows never pass: nothing reaches the router.",
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
  const expected = 'none with devices of the VPN, or the datapath nexthop';
  if (found.length === 0) return [fine(subject, 'none with a link or a tunnel', expected)];
  return found.map((flowtable): Judgement => {
    const holds = `${flowtable.where} includes ${flowtable.devices.join(', ')}`;
    if (datapath === 'nexthop')
      return fine(subject, `${holds}: it gets the route to the gateway from gwmark`, expected);
    return {
      severity: 'error',
      subject,
      found: `${holds}: its flows bypass the module, and their answers do not reach the router`,
      expected,
      remedy: remedyOfFlowtable(flowtable),
    };
  });
}

/** How to keep flows out of a flowtable when the module is used. */
export function remedyOfFlowtable({ devices }: ForeignFlowtable): string {
  return `set datapath: nexthop, or remove ${devices.join(' and ')} from the flowtable`;
}
