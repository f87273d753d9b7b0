// cspell:ignore deivces levle
import assert from 'node:assert/strict';

import { didYouMean } from '../../../sidecar/config/did-you-mean.js';

const NAMES = ['authorize', 'devices', 'mark.mask', 'management.passwordFile', 'log.level', 'controlSocket'];

describe('didYouMean', () => {
  for (const [wrong, meant] of [
    ['authorise', 'authorize'],
    ['device', 'devices'],
    ['deivces', 'devices'],
    ['control_socket', 'controlSocket'],
    ['control-socket', 'controlSocket'],
    ['mask', 'mark.mask'],
    ['log.levle', 'log.level'],
    ['management.password', 'management.passwordFile'],
  ] as const) {
    it(`takes ${wrong} for ${meant}`, () => {
      assert.equal(didYouMean(wrong, NAMES), meant);
    });
  }

  it('says nothing where nothing is near', () => {
    assert.equal(didYouMean('frobnicate', NAMES), undefined);
    assert.equal(didYouMean('', NAMES), undefined);
    assert.equal(didYouMean('x'.repeat(100_000), NAMES), undefined);
  });
});
