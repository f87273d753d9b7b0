import assert from 'node:assert/strict';

import type { Route, Tunnel } from '../../../rules/index.js';
import { routeKey, routingTables } from '../../../rules/index.js';
import { changedClientRoutes, everyClientRoute } from '../../../sidecar/kernel/client-routes.js';
import { ClientNetworks } from '../../../sidecar/sessions/client-networks.js';
import { network, POLICY, TUNNEL } from '../rules/sample-site.js';

const SECOND: Tunnel = { ...TUNNEL, device: 'tun1', covered: [] };
const SITE = { policy: POLICY, tunnels: [TUNNEL, SECOND] };
const CLIENT = network('198.51.100.7');
const KEY = '198.51.100.7';

describe('changedClientRoutes', () => {
  it('removes the route of a client that moved to the tunnel that main leads to', () => {
    const clients = new ClientNetworks();
    clients.add('tcp', { ...CLIENT, device: 'tun1' });
    const before = everyClientRoute(SITE, clients);
    const contested: Route = { family: 4, table: routingTables(POLICY).contested, destination: KEY, device: 'tun1' };
    assert.deepEqual([...before.values()], [contested]);

    clients.add('udp', { ...CLIENT, device: 'tun0' });
    clients.remove('tcp', KEY);
    const pass = changedClientRoutes(SITE, before, new Set([KEY]), clients, new Map());

    assert.deepEqual(pass.diff.removeRoutes, [contested]);
    assert.deepEqual([...pass.routes.values()], [...everyClientRoute(SITE, clients).values()]);
  });

  it('replaces the route of a client that moved between tunnels, and removes it with the client', () => {
    const site = { ...SITE, tunnels: [{ ...TUNNEL, covered: [] }, SECOND] };
    const clients = new ClientNetworks();
    clients.add('a', { ...CLIENT, device: 'tun0' });
    const before = everyClientRoute(site, clients);
    clients.add('a', { ...CLIENT, device: 'tun1' });

    const moved = changedClientRoutes(site, before, new Set([KEY]), clients, new Map());
    const installed = new Map([[KEY, { ...CLIENT, device: 'tun1' }]]);
    clients.remove('a', KEY);
    const gone = changedClientRoutes(site, moved.routes, new Set([KEY]), clients, installed);

    assert.deepEqual([moved.diff.setRoutes.map(({ device }) => device), moved.diff.removeRoutes], [['tun1'], []]);
    assert.deepEqual(gone.diff.removeRoutes.map(routeKey), [...before.keys()]);
    assert.equal(gone.routes.size, 0);
  });
});
