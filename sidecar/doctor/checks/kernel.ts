import { release } from 'node:os';

import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';
import { isAtLeast, parseVersion } from './programs.js';

const LEAST = [5, 10, 0] as const;

/** gwmark is tested on this kernel. */
export const kernel: Check = {
  name: 'kernel',
  doc: 'The kernel is 5.10 or later.',
  needsNetAdmin: false,
  look: async () => [judgeKernel(release())],
};

/** @param text as of uname(2): `6.1.0-28-amd64` */
export function judgeKernel(text: string): Judgement {
  const version = parseVersion(text);
  const expected = '5.10 or later';
  if (version === null || isAtLeast(version, LEAST)) return fine('kernel', text, expected);
  return {
    severity: 'warn',
    subject: 'kernel',
    found: text,
    expected,
    remedy: 'upgrade the kernel; gwmark is not tested with older ones',
  };
}
