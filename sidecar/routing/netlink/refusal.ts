/** The kernel refused a request. `reason` is in its words, or those of strerror(3). */
export class RoutingRefusal extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}
