import type { Session } from '../sessions/session-table.js';
import type { RefusedNetwork } from '../sessions/session-networks.js';
import type { ClientStatus } from '../status.js';

/** What the status says of a client besides its session. */
export interface ClientMarks {
  /** Networks that it does not get, and why; empty for nearly all. */
  readonly refused: readonly RefusedNetwork[];
  readonly isKicked: boolean;
}

interface Description {
  readonly revision: number;
  readonly marks: ClientMarks;
  readonly status: ClientStatus;
}

/**
 * The clients of one OpenVPN as the status has them. While nothing changes of a client, it is the same object: whoever
 * watches ten thousand of them every second compares and formats only those that changed.
 */
export class ClientDescriptions {
  readonly #management: string;
  readonly #latest = new WeakMap<Session, Description>();

  /** @param management the name of that OpenVPN in the status */
  constructor(management: string) {
    this.#management = management;
  }

  of(session: Session, marks: ClientMarks): ClientStatus {
    const latest = this.#latest.get(session);
    if (latest?.revision === session.revision && areSame(latest.marks, marks)) return latest.status;
    const status = this.#describe(session, marks);
    this.#latest.set(session, { revision: session.revision, marks, status });
    return status;
  }

  #describe(session: Session, { refused, isKicked }: ClientMarks): ClientStatus {
    const { cid, epoch, commonName, realAddress, addresses, since, traffic } = session;
    return {
      cid,
      epoch,
      commonName,
      realAddress,
      addresses: [...addresses.values()].map(({ address, prefixLength, family, cidr }) =>
        prefixLength === (family === 4 ? 32 : 128) ? address : cidr,
      ),
      since: since.toISOString(),
      ...(traffic === null
        ? {}
        : { traffic: { received: traffic.received, sent: traffic.sent, at: traffic.at.toISOString() } }),
      ...(refused.length === 0 ? {} : { refused }),
      ...(isKicked ? { isKicked: true } : {}),
      management: this.#management,
    };
  }
}

function areSame(marks: ClientMarks, others: ClientMarks): boolean {
  return (
    marks.isKicked === others.isKicked &&
    marks.refused.length === others.refused.length &&
    marks.refused.every(
      ({ network, reason }, index) =>
        network === others.refused[index]?.network && reason === others.refused[index].reason,
    )
  );
}
