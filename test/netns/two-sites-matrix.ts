import assert from 'node:assert/strict';

import type { Frame } from '../lab/frame.js';
import { SITES, type SiteName } from '../lab/two-sites.js';

/** Fails unless the endpoint of a site sent frames to `address`, each of them to `mac`. */
export function assertSentTo(frames: readonly Frame[], site: SiteName, address: string, mac: string): void {
  const sent = frames.filter(
    (frame) => frame.sourceMac === SITES[site].mac.endpoint && frame.ip?.destination === address,
  );
  assert.ok(sent.length > 0, `endpoint ${site} sent nothing to ${address}`);
  assert.deepEqual(
    [...new Set(sent.map((frame) => frame.destinationMac))],
    [mac],
    `destination MAC of frames to ${address}`,
  );
}

/**
 * Fails unless the endpoint of a site sent frames of what the other side of its tunnel opened to `address`: the first
 * to the upstream router, and all others there or to the router that the answers came from. How many were on their way
 * before the first answer is not known.
 */
export function assertOpenedTo(frames: readonly Frame[], site: SiteName, address: string): void {
  const { endpoint, u, r } = SITES[site].mac;
  const macs = new Set(
    frames
      .filter((frame) => frame.sourceMac === endpoint && frame.ip?.destination === address)
      .map((frame) => frame.destinationMac),
  );
  assert.ok(macs.delete(u), `endpoint ${site} sent nothing for ${address} to the upstream router`);
  macs.delete(r);
  assert.deepEqual([...macs], [], `destination MAC of frames to ${address}`);
}
