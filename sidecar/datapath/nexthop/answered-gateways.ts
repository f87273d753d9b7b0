import type { Gateway } from '../../../rules/index.js';
import type { AnswerPolicies, PolicyAnswer } from '../answer-policies.js';
import { withAnswer } from '../answer-policies.js';
import type { NeighbourState } from '../datapath.js';
import type { GatewayChange } from './gateway-change.js';
import type { GatewayTable } from './gateway-table.js';
import type { ProbeTarget } from './router-probes.js';

/** The gateways of a table as the setting `gateways.answer` has them answered. */
export class AnsweredGateways {
  readonly #table: GatewayTable;
  readonly #answers: AnswerPolicies;

  constructor(table: GatewayTable, answers: AnswerPolicies) {
    this.#table = table;
    this.#answers = answers;
  }

  list(): readonly Gateway[] {
    return this.#table.list().map((gateway) => this.of(gateway));
  }

  of(gateway: Gateway): Gateway {
    return withAnswer(gateway, this.policyOf(gateway));
  }

  /** Null: no policy is for it. */
  policyOf({ device, mac, sources }: Pick<Gateway, 'device' | 'mac' | 'sources'>): PolicyAnswer | null {
    return this.#answers.of(device, sources[0] ?? mac, (address) => this.#table.macOf(device, address));
  }

  /** Takes what the neighbour table says of addresses in the setting. */
  take(neighbours: readonly NeighbourState[]): readonly GatewayChange[] {
    if (this.#answers.isEmpty) return [];
    const before = new Map(this.list().map((gateway) => [gateway.id, gateway]));
    for (const neighbour of neighbours) this.#answers.take(neighbour);
    return this.list().flatMap((gateway): GatewayChange[] => {
      const earlier = before.get(gateway.id);
      if (earlier === undefined || earlier === gateway) return [];
      return [{ kind: 'moved', gateway, from: earlier.mac, by: 'policy' }];
    });
  }

  /**
   * Gateways in use; not those whose replies go to an address that the kernel is made to check anyway.
   *
   * @param packetsOf frames that came from a gateway so far
   */
  probed(uplinkId: number | null, packetsOf: (id: number) => number): readonly ProbeTarget[] {
    const used = this.#table
      .list()
      .filter(
        (gateway) =>
          (this.policyOf(gateway)?.policy ?? 'pin') === 'pin' &&
          (gateway.id === uplinkId || this.#table.isActive(gateway.id)),
      );
    const targets = used.map(({ id, device, mac, isDead = false }): [string, ProbeTarget] => {
      const packets = packetsOf(this.#table.bySource(device, mac)?.id ?? id);
      return [`${device} ${mac}`, { device, mac, isDead, addresses: this.#table.addressesOf(id), packets }];
    });
    return [...new Map(targets).values()];
  }
}
