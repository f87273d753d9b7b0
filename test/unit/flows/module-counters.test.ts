import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { isFallThrough, MODULE_COUNTERS } from '../../../sidecar/datapath/module/counters.js';

// Compiled files lie in dist/test/unit/flows.
const HEADER = new URL('../../../../module/include/uapi/gwmark.h', import.meta.url);

describe('counters of the module', () => {
  it('are those of the uapi header, in its order', () => {
    const header = readFileSync(HEADER, 'utf8');

    const names = [...header.matchAll(/^\tX\((\w+)\)/gm)].map(([, name]) => name);

    assert.deepEqual([...MODULE_COUNTERS], names);
  });

  it('tell why the normal route was taken, not what was sent, dropped or answered', () => {
    assert.ok(
      isFallThrough('return_no_gateway') && isFallThrough('output_device_down') && isFallThrough('learn_table_full'),
    );
    assert.ok(
      !['return_sent', 'return_ttl_exceeded', 'learn_new', 'transmit_frames', 'move_claim', 'new_one'].some((name) =>
        isFallThrough(name),
      ),
    );
  });
});
