/** Files of /proc that are read at once: Node's pool has four threads, and more would only wait with open files. */
const AT_ONCE = 16;

/**
 * Applies an asynchronous function to each item, a few at a time, and resolves with the results in order. For what
 * opens files: as many open ones as a machine has processes would exceed the limit of this process, and above number
 * 1023 libnftables aborts it (select(2)).
 *
 * @throws what the function throws first; calls under way go on
 */
export async function eachOf<Item, Result>(
  items: readonly Item[],
  apply: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const rest = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of rest) results[index] = await apply(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}
