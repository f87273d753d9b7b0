import { connectedOf } from './connected.js';
import { clientKey, gatewayKey, type Look } from './message.js';
import type { ClientStatus, GatewayStatus, StatusDocument } from '../status.js';

/** Bytes a second; null while two counts are not known, and where nothing counts. */
export interface Rate {
  /** From the client, or from the gateway. */
  readonly received: number | null;
  readonly sent: number | null;
}

export interface MeasuredClient {
  readonly key: string;
  readonly client: ClientStatus;
  readonly rate: Rate;
}

export interface MeasuredGateway {
  readonly key: string;
  readonly gateway: GatewayStatus;
  readonly rate: Rate;
}

/** Packets of VPN flows that took the normal route for one reason. */
export interface MeasuredReason {
  readonly reason: string;
  readonly packets: number;
  readonly perSecond: number | null;
}

/** A look with what changed since the one before, by time. */
export interface Measured {
  readonly atMs: number;
  readonly document: StatusDocument;
  /** Of OpenVPN and of other VPNs: {@link connectedOf}. */
  readonly clients: readonly MeasuredClient[];
  readonly gateways: readonly MeasuredGateway[];
  readonly reasons: readonly MeasuredReason[];
}

interface Sample {
  readonly atMs: number;
  readonly received: number | null;
  readonly sent: number | null;
  readonly rate: Rate;
}

const UNKNOWN: Rate = { received: null, sent: null };

/** Turns counters into rates: it keeps one count of each client, gateway and reason. No clock. */
export class Measure {
  readonly #clients = new Meter();
  readonly #gateways = new Meter();
  readonly #reasons = new Meter();

  take({ atMs, document }: Look): Measured {
    const clients = connectedOf(document).map((client) => {
      const key = clientKey(client);
      const { traffic } = client;
      const rate =
        traffic === undefined
          ? UNKNOWN
          : this.#clients.take(key, Date.parse(traffic.at), traffic.received, traffic.sent);
      return { key, client, rate };
    });
    const gateways = document.gateways.map((gateway) => {
      const key = gatewayKey(gateway);
      const rate = this.#gateways.take(key, atMs, gateway.received?.bytes ?? null, gateway.sent?.bytes ?? null);
      return { key, gateway, rate };
    });
    const reasons = Object.entries(document.fallThrough).map(([reason, packets]) => {
      return { reason, packets, perSecond: this.#reasons.take(reason, atMs, packets, null).received };
    });
    this.#clients.keep(clients.map(({ key }) => key));
    this.#gateways.keep(gateways.map(({ key }) => key));
    return { atMs, document, clients, gateways, reasons };
  }
}

class Meter {
  #samples = new Map<string, Sample>();

  /** The rate between the last two counts; a count of the same time changes nothing. */
  take(key: string, atMs: number, received: number | null, sent: number | null): Rate {
    const last = this.#samples.get(key);
    if (last !== undefined && last.atMs >= atMs) return last.rate;
    const seconds = last === undefined ? 0 : (atMs - last.atMs) / 1000;
    const rate =
      last === undefined
        ? UNKNOWN
        : { received: perSecond(last.received, received, seconds), sent: perSecond(last.sent, sent, seconds) };
    this.#samples.set(key, { atMs, received, sent, rate });
    return rate;
  }

  keep(keys: readonly string[]): void {
    if (keys.length === this.#samples.size) return;
    const samples = keys.flatMap((key) => {
      const sample = this.#samples.get(key);
      return sample === undefined ? [] : [[key, sample] as const];
    });
    this.#samples = new Map(samples);
  }
}

/** Null where a counter began again. */
function perSecond(before: number | null, now: number | null, seconds: number): number | null {
  return before === null || now === null || now < before ? null : (now - before) / seconds;
}
