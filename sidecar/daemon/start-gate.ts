/**
 * Closed until the kernel may be changed: while something of an earlier run is kept, not before every OpenVPN was
 * heard of or tried without success. Opens once.
 */
export class StartGate {
  #isOpen = false;
  #areSettled = false;
  #onOpen: () => void = () => undefined;
  /** Resolves when it opens. */
  readonly opened = new Promise<void>((resolve) => {
    this.#onOpen = resolve;
  });

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Every OpenVPN was heard of or tried without success: the next look opens it. */
  settled(): void {
    this.#areSettled = true;
  }

  /** @param isHolding something of an earlier run is kept */
  look(isHolding: boolean): void {
    if (this.#isOpen || (isHolding && !this.#areSettled)) return;
    this.#isOpen = true;
    this.#onOpen();
  }
}
