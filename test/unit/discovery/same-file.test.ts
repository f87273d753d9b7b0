import assert from 'node:assert/strict';

import { inodesOf } from '../../../sidecar/discovery/cgroup-sockets.js';
import { parseMounts, placeOf } from '../../../sidecar/discovery/same-file.js';

const HOST = parseMounts(
  '22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n30 22 0:25 / /run rw - tmpfs tmpfs rw\n31 22 254:1 /openvpn /etc/openvpn rw - ext4 /dev/vdb rw\n',
);

describe('placeOf', () => {
  it('is the file system and the path in it, whatever is mounted where', () => {
    const unit = parseMounts(
      '90 1 254:0 / / ro - ext4 /dev/vda rw\n91 90 254:1 /openvpn /etc/openvpn ro - ext4 /dev/vdb rw\n92 90 0:44 / /tmp rw - tmpfs tmpfs rw\n',
    );

    assert.equal(placeOf(HOST, '/etc/openvpn/a.conf'), '254:1 /openvpn/a.conf');
    assert.equal(placeOf(unit, '/etc/openvpn/a.conf'), placeOf(HOST, '/etc/openvpn/a.conf'));
    assert.notEqual(placeOf(unit, '/tmp/a.conf'), placeOf(HOST, '/tmp/a.conf'));
  });

  it('takes the last of several mounts on one point, and a longer one before a shorter', () => {
    const over = parseMounts(
      '1 0 254:0 / / rw - ext4 a rw\n2 1 0:50 / /etc rw - tmpfs b rw\n3 1 0:51 / /etc rw - tmpfs c rw\n',
    );

    assert.equal(placeOf(over, '/etc/a'), '0:51 /a');
    assert.equal(placeOf(over, '/etcetera'), '254:0 /etcetera');
  });

  it('is nowhere where the root is not seen, and reads blanks that are written in octal', () => {
    assert.equal(placeOf(parseMounts('30 22 0:25 / /run rw - tmpfs tmpfs rw'), '/etc/a'), null);
    assert.equal(placeOf(parseMounts(String.raw`1 0 8:1 / /my\040disk rw - ext4 a rw`), '/my disk/a'), '8:1 /a');
  });
});

describe('inodesOf', () => {
  it('takes the sockets of one control group', () => {
    const listing = [
      'udp UNCONN 0 0 0.0.0.0:1194 0.0.0.0:* ino:11 sk:1 cgroup:/system.slice/openvpn-server@a.service <->',
      'tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* ino:12 sk:2 cgroup:/system.slice/ssh.service <->',
      'tcp LISTEN 0 128 0.0.0.0:23 0.0.0.0:* ino:13 sk:3 cgroup:/system.slice <->',
    ].join('\n');

    assert.deepEqual(inodesOf(listing, '/system.slice/openvpn-server@a.service'), new Set([11]));
  });
});
