import type { ClientStatus, StatusDocument } from '../../status.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

/** The clients' networks are served. */
export const clientNetworks: Check = {
  name: 'client-networks',
  doc: 'Every address of a client, and every subnet behind one, is served. gwmark refuses what would take over other traffic: a default route and its halves, loopback, link-local and multicast addresses, the network of a link or a part of it, and a network that contains the network of a bridge.',
  needsNetAdmin: false,
  look: async (system) => judgeClientNetworks(await system.status().catch(() => null)),
};

export function judgeClientNetworks(status: Pick<StatusDocument, 'clients'> | null): readonly Judgement[] {
  if (status === null || status.clients.length === 0) return [];
  const refused = status.clients.flatMap(judgeClient);
  return refused.length > 0 ? refused : [fine('networks of clients', 'all are served')];
}

function judgeClient({ commonName, refused = [] }: ClientStatus): readonly Judgement[] {
  return refused.map(({ network, reason }) => ({
    severity: 'warn',
    subject: `${network} of client ${commonName}`,
    found: `not served: ${reason}`,
    expected: 'a network that exists only behind that client',
    remedy: `correct the iroute of ${commonName} (client-config-dir), and OpenVPN's route to it, if it has one`,
  }));
}
