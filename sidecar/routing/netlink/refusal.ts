/** The kernel refused a request. `reason` is in its words, or those of strerror(3). */
export class RoutingRefusal extends Error {
  readonly reason: string;
  /** The kernel's errno, positive; 0 if it gave none. */
  readonly errno: number;

  constructor(reason: string, errno = 0) {
    super(reason);
    this.reason = reason;
    this.errno = errno;
  }
}
