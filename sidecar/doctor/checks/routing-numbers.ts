import { routingClashes } from '../../routing/conflicts.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

const EXPECTED = 'unused by other programs';

/** No other program uses our rule priorities, routing tables, protocol number and next-hop addresses. */
export const routingNumbers: Check = {
  name: 'routing-numbers',
  doc: 'No other program uses the rule priorities, routing tables, protocol number and next-hop addresses of `routing.*`.',
  needsNetAdmin: false,
  look: async (system) => {
    // Another check finds conflicts of marks.
    const use = await system.routing();
    const rules = use.rules.map(({ fwmark: _mark, ...rule }) => rule);
    return judgeRoutingNumbers(routingClashes(system.policy, { ...use, rules }));
  },
};

export function judgeRoutingNumbers(clashes: ReturnType<typeof routingClashes>): readonly Judgement[] {
  const subject = 'rule priorities and routing tables';
  if (clashes.length === 0) return [fine(subject, EXPECTED)];
  return clashes.map(({ found, remedy }) => ({ severity: 'error', subject, found, expected: EXPECTED, remedy }));
}
