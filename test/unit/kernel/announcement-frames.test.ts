import assert from 'node:assert/strict';
import { announcementFrame } from '../../../sidecar/kernel/announcement-frames.js';

const MAC = '02:00:00:00:00:10';

describe('announcementFrame', () => {
  it('is an ARP announcement: a request for everyone, sender and target the address', () => {
    const frame = announcementFrame({ family: 4, address: '192.0.2.131', device: 'lan0' }, MAC);

    assert.equal(
      frame.toString('hex'),
      'ffffffffffff02000000001008060001080006040001020000000010c0000283000000000000c0000283',
    );
  });

  it('is an unsolicited neighbour advertisement to all nodes, with the Override flag and a right checksum', () => {
    const frame = announcementFrame({ family: 6, address: '2001:db8::1:131', device: 'lan0' }, MAC);

    assert.equal(frame.subarray(0, 14).toString('hex'), '33330000000102000000001086dd');
    const ip = frame.subarray(14);
    assert.equal(ip.subarray(0, 8).toString('hex'), '6000000000203aff');
    assert.equal(ip.subarray(24, 40).toString('hex'), `ff02${'00'.repeat(13)}01`);
    const message = ip.subarray(40);
    assert.equal(message.subarray(0, 2).toString('hex') + message.subarray(4, 8).toString('hex'), '880020000000');
    assert.deepEqual(message.subarray(8, 24), ip.subarray(8, 24), 'about its own source');
    assert.equal(message.subarray(24).toString('hex'), '0201020000000010');
    // RFC 1071: the sum over everything, the checksum included, is all ones.
    const summed = Buffer.concat([ip.subarray(8, 40), Buffer.from([0, 0, 0, 32, 0, 0, 0, 58]), message]);
    let sum = 0;
    for (let index = 0; index < summed.length; index += 2) sum += summed.readUInt16BE(index);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    assert.equal(sum, 0xffff);
  });
});
