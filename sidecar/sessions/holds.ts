/** A client that is kept out for a while. */
export interface Hold {
  /** Its common name, as OpenVPN tells it. */
  readonly name: string;
  /** The endpoint of the OpenVPN that keeps it out; null: all of them do. */
  readonly server: string | null;
  /** Milliseconds since 1970. */
  readonly untilMs: number;
  /** What the client is told; null: the default. */
  readonly message: string | null;
}

/**
 * Who is kept out, and until when. In memory: a hold ends with the sidecar.
 */
export class Holds {
  readonly #now: () => number;
  #holds: readonly Hold[] = [];

  /** @param now milliseconds since 1970 */
  constructor(now: () => number = () => Date.now()) {
    this.#now = now;
  }

  /** Those in force, in the order in which they were added. */
  list(): readonly Hold[] {
    const nowMs = this.#now();
    if (this.#holds.some(({ untilMs }) => untilMs <= nowMs))
      this.#holds = this.#holds.filter(({ untilMs }) => untilMs > nowMs);
    return this.#holds;
  }

  /** Adds a hold; one of the same name and server is replaced. */
  add(hold: Hold): void {
    this.#holds = [...this.list().filter((other) => !isSame(other, hold)), hold];
  }

  /**
   * Ends holds of a name.
   *
   * @param server null: those of every server
   * @returns those that were in force
   */
  release(name: string, server: string | null): readonly Hold[] {
    const ended = this.list().filter((hold) => hold.name === name && (server === null || hold.server === server));
    this.#holds = this.list().filter((hold) => !ended.includes(hold));
    return ended;
  }

  /**
   * The hold of a client at a server.
   *
   * @param names its common name and its user name: with `--username-as-common-name`, a login still has the name of
   * the certificate
   */
  find(server: string, names: readonly (string | undefined)[]): Hold | null {
    if (this.#holds.length === 0) return null;
    return (
      this.list().find((hold) => (hold.server === null || hold.server === server) && names.includes(hold.name)) ?? null
    );
  }

  /** Seconds, rounded up, until a hold ends. */
  secondsLeft({ untilMs }: Hold): number {
    return Math.max(1, Math.ceil((untilMs - this.#now()) / 1000));
  }
}

function isSame(a: Hold, b: Hold): boolean {
  return a.name === b.name && a.server === b.server;
}
