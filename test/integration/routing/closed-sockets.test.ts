import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openNetlinkSocket } from 'nftables-json/netlink';
import { NetlinkRouting } from '../../../sidecar/routing/netlink/netlink-routing.js';
import { openPacketSocket } from '../../../sidecar/system/packet-socket.js';

/** The kernel gives the number of a closed descriptor to whatever is opened next. */
describe('a socket by koffi that was closed', () => {
  const file = path.join(tmpdir(), `closed-sockets-${process.pid}`);
  const opened: number[] = [];
  beforeEach(() => writeFileSync(file, ''));
  afterEach(() => {
    for (const descriptor of opened.splice(0)) closeSync(descriptor);
    rmSync(file);
  });

  /** Takes every descriptor that is free now up to the highest in use. */
  function takeFreeDescriptors(): void {
    for (let count = 0; count < 64; count += 1) opened.push(openSync(file, 'a+'));
  }

  function assertUntouched(): void {
    for (const descriptor of opened) {
      assert.equal(fstatSync(descriptor).size, 0);
      assert.equal(readSync(descriptor, Buffer.alloc(1)), 0);
    }
  }

  it('writes to no file that has its descriptor now, reads from none, and closes none', async () => {
    const netlink = await openNetlinkSocket();
    const packets = await openPacketSocket();
    assert.ok(!('missing' in packets));
    netlink.close();
    packets.close();
    takeFreeDescriptors();
    const bytes = Buffer.from('not for you');

    assert.equal(netlink.send(bytes, bytes.length), false);
    assert.equal(netlink.receive(bytes), 'none');
    assert.equal(await netlink.sendAside(bytes, bytes.length), false);
    assert.equal(await netlink.receiveAside(bytes), 'lost');
    assert.equal(packets.send(1, Buffer.alloc(60)), false);
    netlink.close();
    packets.close();

    assertUntouched();
  });

  it('ends a listing that is to go on, as when the daemon ends while it looks at the devices', async () => {
    const routing = await NetlinkRouting.open();
    const listing = routing.mainRoutes([]);
    await routing[Symbol.asyncDispose]();
    takeFreeDescriptors();

    await assert.rejects(listing, { code: 'ROUTING_FAILED' });

    assertUntouched();
  });
});
