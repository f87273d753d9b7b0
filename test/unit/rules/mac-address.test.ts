import assert from 'node:assert/strict';

import { isMac, isUnicastMac, parseOrderComment } from '../../../rules/index.js';

describe('MAC addresses', () => {
  it('are six numbers in lower case between colons', () => {
    for (const text of ['02:00:00:00:00:01', '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff']) assert.ok(isMac(text), text);
    for (const text of [
      '',
      '2:0:0:0:0:1',
      '02:00:00:00:00',
      '02:00:00:00:00:01:02',
      '02-00-00-00-00-01',
      '02:00:00:00:00:0G',
    ])
      assert.ok(!isMac(text), text);
    assert.ok(!isMac('02:00:00:00:00:AB'));
  });

  it('are of one station, except those of groups and zero', () => {
    assert.ok(isUnicastMac('02:00:00:00:00:01'));
    for (const text of ['01:00:5e:00:00:01', 'ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00', 'fe80::1', '02:00'])
      assert.ok(!isUnicastMac(text), text);
  });

  it('are read from the comment of an order only in this form', () => {
    assert.deepEqual(parseOrderComment('order lan0 02:00:00:00:00:01'), { device: 'lan0', mac: '02:00:00:00:00:01' });
    assert.equal(parseOrderComment('order lan0 02:00:00:00:000:1'), null);
  });
});
