import assert from 'node:assert/strict';
import { compileModuleStructure } from '../../../rules/index.js';
import { FULL_SITE } from './sample-site.js';

describe('the rules of the datapath module', () => {
  it("mark the endpoint's own ICMP errors about a flow, which would find no way otherwise", () => {
    const rules = compileModuleStructure(FULL_SITE).chains.get('mark_output')?.rules ?? [];

    const [direction, state, mark] = rules.at(-1)?.expr ?? [];
    assert.deepEqual(direction, { match: { op: '==', left: { ct: { key: 'direction' } }, right: 'reply' } });
    assert.deepEqual(state, { match: { op: 'in', left: { ct: { key: 'state' } }, right: 'related' } });
    assert.ok(mark !== undefined && 'mangle' in mark);
  });

  it('mark nothing of the kind while there is no tunnel', () => {
    const rules = compileModuleStructure({ ...FULL_SITE, tunnels: [] }).chains.get('mark_output')?.rules ?? [];

    assert.ok(!JSON.stringify(rules).includes('related'));
  });
});
