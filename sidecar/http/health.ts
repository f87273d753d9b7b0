import { type Answer, plainText } from './listener.js';

/** Why traffic is not carried right now, one sentence each, after a look at the kernel; empty when it is. */
export type Readiness = () => Promise<readonly string[]>;

/**
 * The pages for probes, the same wherever the sidecar listens: `/livez` gives 200 while the process answers, `/readyz`
 * 200, or 503 with the problems, one per line. Null for any other page.
 */
export async function healthPage(page: string, readiness: Readiness): Promise<Answer | null> {
  if (page === '/livez') return plainText(200, 'ok\n');
  if (page !== '/readyz') return null;
  const problems = await readiness();
  return problems.length === 0
    ? plainText(200, 'ready\n')
    : plainText(503, problems.map((problem) => `${problem}\n`).join(''));
}
