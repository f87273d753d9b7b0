import assert from 'node:assert/strict';

import type { Frame } from '../lab/frame.js';
import { SITES, type SiteName } from '../lab/two-sites.js';

/** Fails unless the endpoint of a site sent frames to `address`, each of them to `mac`. */
export function assertSentTo(frames: readonly Frame[], site: SiteName, address: string, mac: string): void {
  const sent = frames.filter((frame) => frame.sourceMac === SITES[site].mac.endpoint && frame.ip?.destination === address);
  assert.ok(sent.length > 0, `endpoint ${site} sent nothing to ${address}`);
  assert.deepEqual([...new Set(sent.map((frame) => frame.destinationMac))], [mac], `destination MAC of frames to ${address}`);
}
