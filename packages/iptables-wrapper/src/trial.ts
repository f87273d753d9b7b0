import type { RestoreLine } from './parts.js';
import { ruleTarget } from './table.js';
import { splitWords } from './words.js';

/** Name of the chain for trials, after the prefix. No packet ever passes it. */
const TRIAL_SUFFIX = '.trial';

/**
 * Finds the rule that the kernel refuses, where iptables-legacy only says that it refused the whole.
 *
 * Rules are put into a chain that nothing leads to, by bisection: a handful of transactions without effect on any
 * packet, on the failure path only. undefined: each rule is accepted there, so it is their place that the kernel
 * minds.
 *
 * @param accepts whether a transaction of these lines is accepted; it takes effect
 */
export async function firstRefusedRule(
  lines: readonly RestoreLine[],
  prefix: string,
  accepts: (lines: readonly string[]) => Promise<boolean>,
): Promise<RestoreLine | undefined> {
  const chain = `${prefix}${TRIAL_SUFFIX}`;
  // Rules that lead to our chains were already checked by name.
  const rules = lines.flatMap((line) => {
    const [verb = '', , ...words] = splitWords(line.text).words;
    const isTried = (verb === '-A' || verb === '-I') && ruleTarget(words)?.startsWith(prefix) !== true;
    return isTried ? [{ line, trial: line.text.replace(/^-[AI] \S+/u, `-A ${chain}`) }] : [];
  });
  const holds = (count: number): Promise<boolean> =>
    accepts([`:${chain} - [0:0]`, ...rules.slice(0, count).map(({ trial }) => trial)]);
  try {
    if (await holds(rules.length)) return undefined;
    let accepted = 0;
    let refused = rules.length;
    while (refused - accepted > 1) {
      const middle = Math.floor((accepted + refused) / 2);
      if (await holds(middle)) accepted = middle;
      else refused = middle;
    }
    return rules[refused - 1]?.line;
  } finally {
    await accepts([`:${chain} - [0:0]`, `-X ${chain}`]);
  }
}
