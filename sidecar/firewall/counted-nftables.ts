import type {
  Command,
  Features,
  ListOptions,
  NftObject,
  Nftables,
  RunOptions,
  RunResult,
  SetReference,
  Selector,
} from 'nftables-json';

/** Generations are 32-bit numbers that begin again at 0. */
const GENERATIONS = 2 ** 32;

/** An {@link Nftables} that tells the transactions of this process from those of other programs. */
export class CountedNftables implements Nftables {
  readonly #nft: Nftables;
  #transactions = 0;

  /** @param nft borrowed: disposing this does nothing */
  constructor(nft: Nftables) {
    this.#nft = nft;
  }

  get executor(): Nftables['executor'] {
    return this.#nft.executor;
  }

  /**
   * Changes whenever another program changes anything in nftables, elements of its sets included. One of ours whose
   * outcome is unknown counts as another program's. Undefined where generations cannot be read.
   */
  async othersGeneration(): Promise<number | undefined> {
    const generation = await this.#nft.generation();
    return generation === undefined ? undefined : (generation - this.#transactions + GENERATIONS) % GENERATIONS;
  }

  async run(commands: readonly Command[], options?: RunOptions): Promise<RunResult> {
    const result = await this.#nft.run(commands, options);
    // The package sends nothing for an empty list.
    if (commands.length > 0) this.#transactions = (this.#transactions + 1) % GENERATIONS;
    return result;
  }

  check(commands: readonly Command[], options?: RunOptions): Promise<void> {
    return this.#nft.check(commands, options);
  }

  list(selector: Selector, options?: ListOptions): Promise<readonly NftObject[]> {
    return this.#nft.list(selector, options);
  }

  hasElements(set: SetReference): Promise<boolean> {
    return this.#nft.hasElements(set);
  }

  generation(): Promise<number | undefined> {
    return this.#nft.generation();
  }

  features(): Promise<Features> {
    return this.#nft.features();
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
