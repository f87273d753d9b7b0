import { gatewayMark, type Policy } from '../../../rules/index.js';
import type { Logger } from '../../log/logger.js';
import { countMark } from '../../system/conntrack.js';
import { OngoingWork } from '../../system/ongoing-work.js';
import type { GatewayChange } from './gateway-change.js';
import type { GatewayTable } from './gateway-table.js';
import { Moves } from './moves.js';

export interface GatewayLogOptions {
  readonly policy: Policy;
  /** Highest gateway id. */
  readonly max: number;
  readonly table: GatewayTable;
  readonly logger: Logger;
  /** Number of the first pass that will take in what is known now. */
  readonly nextPass: () => number;
  /** Resolves when the kernel has what is wanted at the end of the present turn, or when the datapath closes. */
  readonly applied: () => Promise<void>;
}

/** Logs what happens to gateways, and counts their moves. */
export class GatewayLog {
  readonly moves = new Moves();
  /** Gateway id -> how often it was found dead. */
  readonly deaths = new Map<number, number>();
  readonly #options: GatewayLogOptions;
  readonly #work = new OngoingWork();
  /** The moves that are still to be logged, in order. */
  #told: Promise<void> = Promise.resolve();
  /** Logged once until there is room again. */
  #isFull = false;

  constructor(options: GatewayLogOptions) {
    this.#options = options;
  }

  /** Returns immediately; the log line of a move comes when its flows are counted. */
  tell(change: GatewayChange): void {
    const { logger, max, table, nextPass } = this.#options;
    if (change.kind === 'doubted') return;
    if (change.kind === 'limit') {
      if (!this.#isFull) logger.warn('gateway.limit', { device: change.device, mac: change.mac, max });
      this.#isFull = true;
      return;
    }
    const { id, device, mac } = change.gateway;
    const fields = { gateway: id, device, mac };
    if (change.kind === 'found') logger.info('gateway.found', { ...fields, by: change.by, pass: nextPass() });
    else if (change.kind === 'revived') logger.info('gateway.alive', { ...fields, by: change.by, pass: nextPass() });
    else if (change.kind === 'dead') {
      this.deaths.set(id, (this.deaths.get(id) ?? 0) + 1);
      logger.warn('gateway.dead', { ...fields, addresses: table.addressesOf(id), pass: nextPass() });
    } else if (change.kind === 'moved') {
      const { from, by, address } = change;
      this.moves.add(id);
      this.#tellMove(id, { ...fields, from, by, address, pass: nextPass() });
    } else {
      logger.info('gateway.gone', { ...fields, reason: change.why });
      this.#isFull = false;
      this.moves.forget(id);
      this.deaths.delete(id);
    }
  }

  /** Resolves when everything is logged. */
  close(): Promise<void> {
    return this.#work.idle();
  }

  /**
   * To count flows takes as long as to list them, and to start the program as long as to move them, which comes first. A
   * gateway that sent nothing has none.
   */
  #tellMove(id: number, fields: Readonly<Record<string, unknown>>): void {
    const { policy, table, logger, applied } = this.#options;
    const counted = table.isActive(id)
      ? applied()
          .then(() => countMark(gatewayMark(policy, id), policy.markMask))
          .catch(() => null)
      : Promise.resolve(0);
    this.#told = this.#told.then(async () => logger.info('gateway.moved', { ...fields, flows: await counted }));
    void this.#work.add(this.#told);
  }
}
