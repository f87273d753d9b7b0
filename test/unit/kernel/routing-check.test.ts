import assert from 'node:assert/strict';

import { explain } from '../../../sidecar/kernel/routing-check.js';
import type { RoutingDamage } from '../../../sidecar/routing/damage.js';

const ROUTE: RoutingDamage = { what: 'missing', devices: ['tun0'], text: 'route 192.0.2.0/25 dev tun0' };
const BEFORE = new Map([
  ['tun0', 4],
  ['lan0', 2],
  ['lan1', 3],
]);

describe('explain', () => {
  const cases: readonly (readonly [string, 'lost' | 'foreign', RoutingDamage, ReadonlyMap<string, number>])[] = [
    ['a route over a device that is the same was removed by another program', 'foreign', ROUTE, BEFORE],
    [
      'a route over a device with another index was lost with it',
      'lost',
      ROUTE,
      new Map([
        ['tun0', 9],
        ['lan0', 2],
      ]),
    ],
    ['a route over a device that is gone was lost with it', 'lost', ROUTE, new Map([['lan0', 2]])],
    [
      'a route over a device that nobody saw before was lost with the one before it',
      'lost',
      { ...ROUTE, devices: ['tun7'] },
      new Map([...BEFORE, ['tun7', 9]]),
    ],
    [
      'a route over several devices was lost with any of them',
      'lost',
      { ...ROUTE, devices: ['lan0', 'lan1'] },
      new Map([
        ['lan0', 2],
        ['lan1', 11],
      ]),
    ],
    [
      'a rule that is missing was removed by another program, whatever became of devices',
      'foreign',
      { what: 'missing', devices: [], text: 'rule' },
      new Map(),
    ],
    [
      'what is there too much was added by another program',
      'foreign',
      { ...ROUTE, what: 'surplus' },
      new Map([['tun0', 9]]),
    ],
  ];
  for (const [title, kind, damage, now] of cases) {
    it(title, () => {
      assert.deepEqual(explain([damage], BEFORE, now), { lost: [], foreign: [], [kind]: [damage] });
    });
  }
});
