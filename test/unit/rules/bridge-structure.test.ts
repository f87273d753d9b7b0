import assert from 'node:assert/strict';
import { compileBridgeStructure, moduleMark } from '../../../rules/index.js';
import { FULL_SITE, POLICY, site, FULL_SITE_DESTINATIONS } from './sample-site.js';

/** The rules that select frames, as text. */
function captureRules(bridges: readonly string[], of = FULL_SITE): string[] {
  return (compileBridgeStructure(of, bridges).chains.get('prerouting')?.rules ?? []).map(({ expr }) =>
    JSON.stringify(expr),
  );
}

describe('the bridge table of an inline endpoint', () => {
  it('selects frames for clients, for the subnets behind them and for the own addresses on tunnels, each with the one mark', () => {
    const rules = captureRules(['br0']);

    for (const wanted of FULL_SITE_DESTINATIONS) {
      assert.equal(rules.filter((rule) => rule.includes(wanted)).length, 1, wanted);
    }
    assert.ok(
      rules.every((rule) => rule.includes(`,${moduleMark(POLICY)}]`)),
      rules.join('\n'),
    );
  });

  it('looks at the bridges that are links of the endpoint, and at no other', () => {
    assert.ok(
      captureRules(['br0']).every((rule) =>
        rule.startsWith('[{"match":{"op":"==","left":{"meta":{"key":"ibrname"}},"right":"br0"}}'),
      ),
    );
    assert.ok(captureRules(['br0', 'br1']).every((rule) => rule.includes('"right":{"set":["br0","br1"]}')));
  });

  it('comes before the hook of the module, and accepts what it does not select', () => {
    const base = compileBridgeStructure(FULL_SITE, ['br0']).chains.get('prerouting')?.base;

    assert.deepEqual(
      { hook: base?.hook, policy: base?.policy, isBefore: (base?.prio ?? 0) < -1 },
      { hook: 'prerouting', policy: 'accept', isBefore: true },
    );
  });

  it('selects by nothing but the clients where there is no tunnel yet', () => {
    assert.equal(captureRules(['br0'], site({ tunnels: [] })).length, 2);
  });
});
