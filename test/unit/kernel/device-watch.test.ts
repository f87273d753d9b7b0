import assert from 'node:assert/strict';
import { unusableProblem, vrfProblem } from '../../../sidecar/kernel/device-watch.js';
import { LAN } from '../rules/sample-site.js';

const MEMBER = { device: 'mgmt0', vrf: 'blue', addresses: ['203.0.113.9'] };
const DEVICES = { links: [LAN], tunnels: [], taps: [], vrfMembers: [MEMBER] };

describe('vrfProblem', () => {
  it('is none for a card that has nothing to do with the VPN', () => {
    assert.equal(vrfProblem(DEVICES, [], [{ protocol: 'udp', address: null, families: [4], port: 1194 }]), null);
    assert.equal(vrfProblem({ ...DEVICES, vrfMembers: [] }, [], []), null);
  });

  it('is one where that card is the only one, is named by a setting, or has the address of OpenVPN', () => {
    const text = 'mgmt0 is in VRF blue, which gwmark does not support: it learns no gateway on it';
    assert.equal(vrfProblem({ ...DEVICES, links: [] }, [], []), text);
    assert.equal(vrfProblem(DEVICES, ['mgmt0'], []), text);
    assert.equal(
      vrfProblem(DEVICES, [], [{ protocol: 'udp', address: '203.0.113.9', families: [4], port: 1194 }]),
      text,
    );
  });
});

describe('unusableProblem', () => {
  it('names a device of the setting that is no link, and why', () => {
    assert.equal(
      unusableProblem({ unusable: [{ device: 'eht0', reason: 'does not exist' }] }),
      'devices: eht0 does not exist, so gwmark learns no gateway on it',
    );
    assert.equal(unusableProblem({}), null);
  });
});
