import { HELD_ANSWERS } from '../../../rules/index.js';
import { vacantIds } from '../../datapath/nexthop/vacancies.js';
import { readSysctl } from '../../system/sysctl.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

interface Facts {
  readonly datapath: 'nexthop' | 'module';
  readonly firewall: 'nftables' | 'iptables';
  /** `gateways.max` */
  readonly ids: number;
  /** Sysctls that limit what a neighbour holds, with their values in bytes. */
  readonly limits: readonly { readonly name: string; readonly bytes: number }[];
}

/** Less does not hold a full-sized packet: the kernel counts the memory of one, not its length. */
const ONE_PACKET_BYTES = 4096;

/** Answers to routers that are not known yet are held until they are. */
export const firstPackets: Check = {
  name: 'first-packets',
  doc: `With the datapath \`nexthop\`, an answer to the first packet of a router that is not known yet is held until it is: there are ids for such routers (\`gateways.max\` of 8 or more, nftables), and the kernel may keep packets for a neighbour (\`unres_qlen_bytes\`).`,
  needsNetAdmin: true,
  look: async (system) => {
    const names = (await system.links()).flatMap(({ ifname }) =>
      (['ipv4', 'ipv6'] as const).map((family) => `net/${family}/neigh/${ifname}/unres_qlen_bytes`),
    );
    const values = await Promise.all(names.map(async (name) => ({ name, text: await readSysctl(name) })));
    return judgeFirstPackets({
      datapath: await system.datapath(),
      firewall: await system.firewall(),
      ids: system.settings.gateways.max,
      limits: values.flatMap(({ name, text }) => (text === null ? [] : [{ name, bytes: Number(text) }])),
    });
  },
};

export function judgeFirstPackets({ datapath, firewall, ids, limits }: Facts): readonly Judgement[] {
  const subject = 'first packets of new routers';
  if (datapath === 'module') return [fine(subject, 'answered: the module learns from them')];
  const expected = `up to ${HELD_ANSWERS} answers held for each router until it is known`;
  if (firewall === 'iptables')
    return [
      {
        severity: 'info',
        subject,
        found: 'answers take the normal route: rules of iptables give out no ids',
        expected,
        remedy: 'use nftables, or let each router send something once (ping)',
      },
    ];
  if (vacantIds(ids) === 0)
    return [
      {
        severity: 'info',
        subject,
        found: `answers take the normal route: no id is left for unknown routers of ${ids}`,
        expected,
        remedy: 'set gateways.max to 8 or more, and mark.mask to at least 4 bits',
      },
    ];
  const small = limits.filter(({ bytes }) => bytes < ONE_PACKET_BYTES);
  return small.length === 0
    ? [fine(subject, `${vacantIds(ids)} ids for unknown routers at most, four a device`, expected)]
    : small.map(({ name, bytes }) => ({
        severity: 'warn',
        subject: name.replaceAll('/', '.'),
        found: `${bytes} bytes: answers to a router that is not known yet are lost`,
        expected: `at least ${ONE_PACKET_BYTES}; the default of the kernel is 212992`,
        remedy: `sysctl -w ${name.replaceAll('/', '.')}=212992`,
      }));
}
