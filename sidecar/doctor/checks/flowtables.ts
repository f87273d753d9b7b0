import type { ForeignFlowtable } from '../../firewall/flowtables.js';
import { foreignFlowtables } from '../../firewall/flowtables.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

/** No flowtable of another program makes flows bypass gwmark. */
export const flowtables: Check = {
  name: 'flowtables',
  doc: 'Flowtables of other programs (`flow add` in FORWARD: OpenWrt, some firewalls) that hold a link or a tunnel. They do no harm: with the datapath `nexthop`, a chain of gwmark in FORWARD gives them the route to the gateway; with `module`, they take no flow that has a gateway.',
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
  const expected = 'any: gwmark keeps to its own way beside them';
  if (found.length === 0) return [fine(subject, 'none with a link or a tunnel', expected)];
  return found.map((flowtable) => fine(subject, describeFlowtable(flowtable, datapath), expected));
}

/** What a flowtable of another program holds, and why it does no harm. */
export function describeFlowtable({ where, devices }: ForeignFlowtable, datapath: 'nexthop' | 'module'): string {
  return `${where} includes ${devices.join(', ')}: ${datapath === 'nexthop' ? 'it gets the route to the gateway from gwmark' : 'it takes no flow that has a gateway'}`;
}
