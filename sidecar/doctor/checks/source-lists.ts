import type { StatusDocument } from '../../status.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

/** The senders that the lists mean. */
export const sourceLists: Check = {
  name: 'source-lists',
  doc: 'Every address in `gateways.exclude` and `gateways.only` has a MAC address in the neighbour table: until then gwmark learns from an excluded sender, and does not learn from one in `gateways.only`.',
  needsNetAdmin: false,
  look: async (system) => judgeSourceLists((await system.status())?.sourceLists ?? []),
};

export function judgeSourceLists(lists: NonNullable<StatusDocument['sourceLists']>): readonly Judgement[] {
  return lists.map(({ list, entry, macs }) => {
    const subject = `gateways.${list}`;
    if (macs.length > 0) return fine(subject, `${entry}: ${macs.join(', ')}`);
    const meaning = list === 'exclude' ? 'gwmark would learn from its frames' : 'gwmark learns nothing from it';
    return {
      severity: 'warn',
      subject,
      found: `${entry}: no neighbour has this address; ${meaning}`,
      expected: 'a neighbour with this address on a link',
      remedy: 'compare with "ip neigh"; use the MAC address instead if the machine does not answer ARP or ND',
    };
  });
}
