import assert from 'node:assert/strict';
import type { Cable, Link, ScopeFilter, Site } from '../../../rules/index.js';
import { compileCableStructure } from '../../../rules/index.js';
import { FULL_SITE, LAN, site, FULL_SITE_DESTINATIONS } from './sample-site.js';

const A = '02:00:00:00:00:0a';
const CABLE: Cable = {
  mac: '02:00:00:00:00:10',
  ports: [
    { device: 'p1', mac: '02:00:00:00:00:11' },
    { device: 'p2', mac: '02:00:00:00:00:12' },
  ],
  vlan: null,
};
const BR0: Link = { ...LAN, device: 'br0', isBridge: true, cable: CABLE };
const BR1: Link = {
  ...LAN,
  device: 'br1',
  isBridge: true,
  cable: { mac: '02:00:00:00:00:20', ports: [{ device: 'q1', mac: '02:00:00:00:00:21' }], vlan: null },
};
const VLAN: Link = { ...LAN, device: 'br0.10', cable: { ...CABLE, vlan: 10 } };
const UNTAGGED = '"right":{"set":["ip","ip6"]}';

/** The rules of a chain, as text. */
function rules(of: Site, chain: 'frames' | 'capture'): string[] {
  return (compileCableStructure(of)?.chains.get(chain)?.rules ?? []).map(({ expr }) => JSON.stringify(expr));
}

function withClients(filter: ScopeFilter): Site {
  return site({ links: [BR0], sources: { clients: filter, transport: { exclude: [], only: null } } });
}

describe('the bridge table of an inline endpoint without the module', () => {
  it('is none where no link is a bridge with ports', () => {
    assert.equal(compileCableStructure(site()), null);
    assert.equal(compileCableStructure(site({ links: [{ ...BR0, cable: { ...CABLE, ports: [] } }] })), null);
  });

  it('looks at frames for clients, for the subnets behind them and for the own addresses on tunnels, from ports alone', () => {
    const selected = rules({ ...FULL_SITE, links: [BR0, BR1] }, 'frames');

    for (const wanted of FULL_SITE_DESTINATIONS)
      assert.equal(selected.filter((rule) => rule.includes(wanted)).length, 1, wanted);
    assert.ok(selected.every((rule) => rule.includes('"right":{"set":["p1","p2","q1"]}')));
  });

  it('leaves frames for the bridge itself, for groups and for all as they are', () => {
    assert.equal(
      rules(site({ links: [BR0] }), 'capture')[0],
      '[{"match":{"op":"!=","left":{"meta":{"key":"pkttype"}},"right":"other"}},{"accept":null}]',
    );
  });

  it('gives the others the MAC address of the bridge whose port they came in by, and no tagged one of them', () => {
    const taken = rules(site({ links: [BR0, BR1] }), 'capture').filter((rule) => rule.includes('mangle'));

    assert.deepEqual(
      taken.map((rule) => [/"set":\["p1","p2"\]/.test(rule), /"q1"/.test(rule), rule.includes(UNTAGGED)]),
      [
        [true, false, true],
        [false, true, true],
      ],
    );
    assert.ok(taken[0]?.includes(`"value":"${CABLE.mac}"`) === true && taken[0].includes('"value":"host"'));
    assert.ok(taken[1]?.includes('"value":"02:00:00:00:00:20"'));
  });

  it('gives frames with the tag of a VLAN device that of the device, and does not note where they were sent', () => {
    const ofVlan = rules(site({ links: [VLAN] }), 'capture').slice(1);

    assert.equal(ofVlan.length, 1);
    assert.match(ofVlan[0] ?? '', /"protocol":"vlan","field":"id".*"right":10/);
  });

  it('notes where captured frames were sent, before it changes that, and not each time', () => {
    const capture = rules(site({ links: [BR0] }), 'capture');
    const note = capture.findIndex((rule) => rule.includes('@destinations') && rule.includes('"limit"'));

    assert.ok(note >= 0 && note < capture.findIndex((rule) => rule.includes('mangle')));
    assert.ok(compileCableStructure(site({ links: [BR0] }))?.sets.has('destinations'));
  });

  it('lets frames pass whose senders must not be learnt', () => {
    const [, excluded] = rules(withClients({ exclude: [{ device: null, mac: A }], only: null }), 'capture');
    const others = rules(withClients({ exclude: [], only: [{ device: 'br0', mac: A }] }), 'capture').slice(1, 3);
    const elsewhere = rules(withClients({ exclude: [{ device: 'lan0', mac: A }], only: null }), 'capture');

    assert.ok(excluded?.includes(A) === true && excluded.endsWith('{"accept":null}]') && !excluded.includes('mangle'));
    assert.deepEqual(
      others.map((rule) => /"op":"!=","left":{"payload":{"protocol":"ether","field":"saddr"}}/.test(rule)),
      [true, true],
      'for each port',
    );
    assert.deepEqual(elsewhere, rules(site({ links: [BR0] }), 'capture'));
  });

  it('comes before br_netfilter, under a chain name of its own, and accepts what it does not select', () => {
    const base = compileCableStructure(site({ links: [BR0] }))?.chains.get('frames')?.base;

    assert.deepEqual(base, { type: 'filter', hook: 'prerouting', prio: -300, policy: 'accept' });
  });
});
