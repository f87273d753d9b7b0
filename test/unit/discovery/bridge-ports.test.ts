import assert from 'node:assert/strict';

import { bridgePortsOf, type PortDetails } from '../../../sidecar/discovery/bridge-ports.js';

function port(ifname: string, data: object, flags = ['UP']): PortDetails {
  return { ifname, flags, master: 'br0', linkinfo: { info_slave_kind: 'bridge', info_slave_data: data } };
}

describe('bridgePortsOf', () => {
  it('keeps ports of bridges that are up, with the state of STP and the lock', () => {
    assert.deepEqual(
      bridgePortsOf([
        port('p1', { state: 'blocking', locked: false }),
        port('p2', { state: 'forwarding', locked: true }),
        port('p3', { state: 'disabled' }, []),
        { ifname: 'lan0', flags: ['UP'] },
        { ifname: 's0', flags: ['UP'], master: 'bond0', linkinfo: { info_slave_kind: 'bond' } },
      ]),
      [
        { device: 'p1', bridge: 'br0', state: 'blocking', isLocked: false },
        { device: 'p2', bridge: 'br0', state: 'forwarding', isLocked: true },
      ],
    );
  });
});
