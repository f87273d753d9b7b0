/** How long each step of a deployment took; printed as a table. */
export class Stages {
  readonly #rows: (readonly [what: string, seconds: number])[] = [];

  /** Runs a step and notes its time. */
  async run<T>(what: string, action: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const result = await action();
    const seconds = (performance.now() - startedMs) / 1000;
    this.#rows.push([what, seconds]);
    process.stdout.write(`    .. ${what}: ${seconds.toFixed(1)} s\n`);
    return result;
  }

  /** Seconds of all steps together. */
  get total(): number {
    return this.#rows.reduce((sum, [, seconds]) => sum + seconds, 0);
  }

  print(): void {
    process.stdout.write(`    total: ${this.total.toFixed(1)} s\n`);
  }
}
