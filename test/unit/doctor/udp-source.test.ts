import assert from 'node:assert/strict';

import { judgeUdpSource } from '../../../sidecar/doctor/checks/udp-source.js';

const SEVERAL = { name: 'unix:/run/a.sock', family: 4, addresses: ['192.0.2.7', '192.0.2.10'], chosen: null } as const;

describe('udp-source', () => {
  it('warns of a server that is bound to no address on an endpoint with several, and says what to set', () => {
    const { severity, found, remedy } = judgeUdpSource({ ...SEVERAL, isMultihome: false });

    assert.equal(severity, 'warn');
    assert.match(found, /2 IPv4 addresses \(192\.0\.2\.7, 192\.0\.2\.10\)/);
    assert.match(remedy ?? '', /local ADDRESS.*multihome/);
  });

  it('is content with one address, and with multihome', () => {
    assert.equal(judgeUdpSource({ ...SEVERAL, addresses: ['192.0.2.7'], isMultihome: null }).severity, 'ok');
    assert.equal(judgeUdpSource({ ...SEVERAL, isMultihome: true }).severity, 'ok');
  });

  it('warns of a way that leads over another device, whose address no client dials', () => {
    const one = { ...SEVERAL, addresses: ['192.0.2.10'], isMultihome: false };
    const overTunnel = { address: '10.9.0.2', device: 'wg0' };

    const { severity, found } = judgeUdpSource({ ...one, chosen: overTunnel });

    assert.equal(severity, 'warn');
    assert.match(found, /leave by wg0, with the source address 10\.9\.0\.2/);
    assert.equal(judgeUdpSource({ ...one, chosen: { address: '192.0.2.10', device: 'ppp0' } }).severity, 'ok');
    assert.equal(judgeUdpSource({ ...one, chosen: overTunnel, isMultihome: true }).severity, 'ok');
  });

  it('warns of nothing that it cannot see', () => {
    assert.equal(judgeUdpSource({ ...SEVERAL, isMultihome: null }).severity, 'info');
  });
});
