/** Moves within so long are recent. */
const RECENT_MS = 600_000;
/** So many moves of a gateway are remembered with their time; more within that time count as so many. */
const MAX_REMEMBERED = 64;

/** How often the replies of each gateway were redirected. */
export class Moves {
  readonly #total = new Map<number, number>();
  readonly #times = new Map<number, readonly number[]>();
  readonly #nowMs: () => number;

  /** @param nowMs monotonic */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** @param id of the gateway that moved */
  add(id: number): void {
    this.#total.set(id, this.total(id) + 1);
    this.#times.set(id, [...(this.#times.get(id) ?? []), this.#nowMs()].slice(-MAX_REMEMBERED));
  }

  total(id: number): number {
    return this.#total.get(id) ?? 0;
  }

  /** Of the last ten minutes, 64 at most. */
  recent(id: number): number {
    const sinceMs = this.#nowMs() - RECENT_MS;
    return (this.#times.get(id) ?? []).filter((time) => time >= sinceMs).length;
  }

  /** The gateway is gone, and its id will be another's. */
  forget(id: number): void {
    this.#total.delete(id);
    this.#times.delete(id);
  }
}
