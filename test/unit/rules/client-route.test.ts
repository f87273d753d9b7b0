import assert from 'node:assert/strict';
import type { Tunnel } from '../../../rules/index.js';
import { clientRoute, compileRouting, needsRoute, routingTables, subnetLengths } from '../../../rules/index.js';
import { POLICY, TUNNEL, network, site } from './sample-site.js';

describe('clientRoute', () => {
  it('leads a subnet behind a client to its tunnel, in the table that is asked before main', () => {
    assert.deepEqual(routeTo('10.99.0.0/16'), {
      family: 4,
      table: routingTables(POLICY).clients,
      destination: '10.99.0.0/16',
      device: 'tun0',
    });
    assert.deepEqual(routeTo('2001:db8:77::/64'), {
      family: 6,
      table: 7700,
      destination: '2001:db8:77::/64',
      device: 'tun0',
    });
  });

  it('is not needed inside what main leads to the tunnel', () => {
    assert.equal(routeTo('198.51.100.7'), null);
    assert.equal(routeTo('198.51.100.128/25'), null);
    assert.notEqual(routeTo('198.51.0.0/16'), null);
  });

  it('is not there for a tunnel that is not there, nor for a family that the tunnel has not', () => {
    assert.equal(routeTo('10.99.0.0/16', 'tun9'), null);
    assert.equal(
      needsRoute({ ...network('2001:db8:77::/64'), device: 'tun0' }, [{ ...TUNNEL, families: [4] }]),
      false,
    );
  });
});

describe('clientRoute with several tunnels', () => {
  const other: Tunnel = { ...TUNNEL, device: 'tun1' };
  const both = { policy: POLICY, tunnels: [TUNNEL, other] };
  const table = (text: string, device: string, tunnels: readonly Tunnel[] = both.tunnels): number | undefined =>
    clientRoute({ ...both, tunnels }, { ...network(text), device })?.table;

  it('comes before main for a client of either of two servers with one network', () => {
    const { contested } = routingTables(POLICY);

    assert.deepEqual(
      [table('198.51.100.7', 'tun0'), table('198.51.100.7', 'tun1'), table('2001:db8:8::7', 'tun1')],
      [contested, contested, contested],
    );
    const { rules } = compileRouting(site({ tunnels: both.tunnels, clientRouteFamilies: [4] }));
    const [first] = rules.filter(({ family }) => family === 4).toSorted((a, b) => a.priority - b.priority);
    assert.deepEqual(first, { family: 4, priority: POLICY.routing.priority, table: contested });
  });

  it('comes before main where main leads the client to the other tunnel alone', () => {
    const narrow: Tunnel = { ...TUNNEL, covered: [...TUNNEL.covered, network('10.99.0.0/16')] };
    const lone: Tunnel = { ...other, covered: [network('203.0.113.0/24')] };

    assert.equal(table('10.99.3.0/24', 'tun1', [narrow, lone]), routingTables(POLICY).contested);
    assert.equal(table('10.99.3.0/24', 'tun0', [narrow, lone]), undefined);
  });

  it('leaves a client alone whose own tunnel has the narrower route, and a subnet that main leads to both', () => {
    const wide: Tunnel = { ...other, covered: [network('198.51.0.0/16')] };

    assert.equal(table('198.51.100.7', 'tun0', [TUNNEL, wide]), undefined);
    assert.equal(table('198.51.100.7', 'tun1', [TUNNEL, wide]), routingTables(POLICY).contested);
    assert.equal(table('198.51.100.0/25', 'tun1'), undefined);
  });
});

describe('subnetLengths', () => {
  it('are distinct, IPv4 first, long before short, without hosts', () => {
    const clients = [
      '10.0.0.0/9',
      '198.51.100.2',
      '10.99.3.0/24',
      '2001:db8:77::/64',
      '10.99.4.0/24',
      '2001:db8:78::/80',
      '2001:db8:8::1',
    ].map((text) => ({ ...network(text), device: 'tun0' }));

    assert.deepEqual(
      subnetLengths(clients).map(({ family, prefixLength }) => `${family}/${prefixLength}`),
      ['4/24', '4/9', '6/80', '6/64'],
    );
  });
});

function routeTo(text: string, device = 'tun0'): ReturnType<typeof clientRoute> {
  return clientRoute(site(), { ...network(text), device });
}
