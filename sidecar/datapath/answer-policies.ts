import { type Gateway, isGroupMac } from '../../rules/index.js';
import type { AnswerPolicy, ConfiguredAnswer } from '../config/places.js';
import type { AnswerStatus, GatewayStatus } from '../status.js';
import type { NeighbourState } from './datapath.js';
import { resolveRouter } from './uplink-seeker.js';

/** How often the kernel is made to look whether the addresses are still where they were. */
const ASK_MS = 10_000;

/** Where replies of a gateway go that a policy is for; null: not known (yet), so to the gateway itself. */
export interface PolicyAnswer {
  readonly policy: Exclude<AnswerPolicy, 'source'>;
  readonly mac4: string | null;
  readonly mac6: string | null;
}

/**
 * The setting `gateways.answer`. It follows its addresses in the neighbour table; of an address for `virtual`, only
 * MAC addresses of a group count, because the members ask from their own MAC with the group's address.
 */
export class AnswerPolicies {
  readonly #entries: readonly ConfiguredAnswer[];
  /** `device address` -> MAC, of addresses in the setting. */
  readonly #macs = new Map<string, string>();
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(entries: readonly ConfiguredAnswer[]) {
    this.#entries = entries;
  }

  /** There is nothing to do. */
  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** Takes what the neighbour table says. True if replies of some gateways go elsewhere now. */
  take({ device, address, mac }: NeighbourState): boolean {
    if (mac === null) return false;
    const entries = this.#entries.filter((entry) => entry.device === device && entry.addresses.includes(address));
    if (entries.length === 0) return false;
    if (entries.some(({ policy }) => policy === 'virtual') && !isGroupMac(mac)) return false;
    const key = `${device} ${address}`;
    if (this.#macs.get(key) === mac) return false;
    this.#macs.set(key, mac);
    return true;
  }

  /**
   * The first entry that means a gateway.
   *
   * @param mac of its frames
   * @param macOf the MAC that the neighbour table has for an address of this device
   * @returns null: its replies go where its frames come from
   */
  of(device: string, mac: string, macOf: (address: string) => string | null): PolicyAnswer | null {
    const entry = this.#entries.find(
      ({ device: on, from }) =>
        on === device &&
        (from.length === 0 ||
          from.some((sender) => sender.mac === mac || (sender.address !== null && macOf(sender.address) === mac))),
    );
    if (entry === undefined || entry.policy === 'source') return null;
    const at = (isV6: boolean): string | null => {
      const address = entry.addresses.find((one) => one.includes(':') === isV6);
      return address === undefined ? null : (this.#macs.get(`${device} ${address}`) ?? null);
    };
    return { policy: entry.policy, mac4: at(false), mac6: at(true) };
  }

  /** Makes the kernel resolve the addresses, now and then; the answers come as events. */
  async ask(devices: ReadonlySet<string>): Promise<void> {
    if (this.#entries.length === 0 || performance.now() - this.#askedMs < ASK_MS) return;
    this.#askedMs = performance.now();
    for (const { device, addresses } of this.#entries) {
      if (!devices.has(device)) continue;
      for (const address of addresses) await resolveRouter({ device, mac: null, address });
    }
  }

  /** Each address with where it is. */
  status(): readonly AnswerStatus[] {
    return this.#entries.flatMap(({ device, policy, addresses }) =>
      policy === 'virtual' || policy === 'resolved'
        ? addresses.map((address) => ({
            device,
            policy,
            address,
            mac: this.#macs.get(`${device} ${address}`) ?? null,
          }))
        : [],
    );
  }
}

/** What {@link withAnswer} made of a gateway last. */
const answered = new WeakMap<Gateway, Gateway>();

/** The gateway as it is answered, the same object for the same answer. What a command has set stays. */
export function withAnswer(gateway: Gateway, answer: PolicyAnswer | null): Gateway {
  if (answer === null || gateway.isOrdered === true || (answer.mac4 ?? answer.mac6) === null) return gateway;
  const mac = answer.mac4 ?? gateway.mac;
  const mac6 = answer.mac6 ?? gateway.mac;
  const known = answered.get(gateway);
  if (known?.mac === mac && known.mac6 === mac6) return known;
  const next = { ...gateway, mac, mac6 };
  answered.set(gateway, next);
  return next;
}

/** For the status of a gateway. */
export function policyOf(answer: PolicyAnswer | null): Pick<GatewayStatus, 'answer'> {
  return answer === null ? {} : { answer: answer.policy };
}
