import assert from 'node:assert/strict';
import { keepUnchanged } from '../../../sidecar/system/keep-unchanged.js';

interface Site {
  readonly links: readonly { readonly device: string }[];
  readonly gateways: readonly number[];
  readonly isAnswering?: boolean;
}

const KNOWN: Site = { links: [{ device: 'lan0' }], gateways: [1] };

describe('keepUnchanged', () => {
  it('is what is new if nothing is known', () => {
    assert.equal(keepUnchanged<Site>(null, KNOWN), KNOWN);
  });

  it('is what is known if all fields say the same', () => {
    assert.equal(keepUnchanged<Site>(KNOWN, structuredClone(KNOWN)), KNOWN);
  });

  it('has the known object of each field that says the same, and the new one of the others', () => {
    const next: Site = { links: [{ device: 'lan0' }], gateways: [1, 2] };
    const kept = keepUnchanged<Site>(KNOWN, next);

    assert.deepEqual(kept, next);
    assert.equal(kept.links, KNOWN.links);
    assert.equal(kept.gateways, next.gateways);
  });

  it('sees a field that came, and one that went', () => {
    const more: Site = { ...KNOWN, isAnswering: true };

    assert.deepEqual(keepUnchanged<Site>(KNOWN, more), more);
    assert.deepEqual(keepUnchanged<Site>(more, structuredClone(KNOWN)), KNOWN);
  });
});
