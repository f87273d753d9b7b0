import ipaddr from 'ipaddr.js';
import type { AnnouncedAddress } from '../../rules/index.js';

const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const NOBODY = '00:00:00:00:00:00';
/** EtherType ARP; Ethernet, IPv4, lengths 6 and 4, operation 1: request. */
const ARP_REQUEST = [0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1];
const ALL_NODES = 'ff02::1';
const ALL_NODES_MAC = '33:33:00:00:00:01';
const ICMPV6 = 58;

/**
 * The frame that tells every host on the link which MAC an address has now: an ARP announcement (RFC 5227, section 2.3),
 * or an unsolicited neighbour advertisement with the Override flag (RFC 4861, section 7.2.6). Pure.
 *
 * @param mac of the device that sends it, colons
 */
export function announcementFrame({ family, address }: AnnouncedAddress, mac: string): Buffer {
  return family === 4 ? arpAnnouncement(address, mac) : neighbourAdvertisement(address, mac);
}

function arpAnnouncement(address: string, mac: string): Buffer {
  const sender = bytesOf(mac);
  const ip = ipaddr.parse(address).toByteArray();
  return Buffer.from([
    ...bytesOf(BROADCAST),
    ...sender,

    ...ARP_REQUEST,
    ...sender,
    ...ip,
    ...bytesOf(NOBODY),
    ...ip,
  ]);
}

function neighbourAdvertisement(address: string, mac: string): Buffer {
  const target = ipaddr.parse(address).toByteArray();
  const allNodes = ipaddr.parse(ALL_NODES).toByteArray();
  // Type 136, code 0, checksum; flags: Override, no router, not solicited; option 2: the target's MAC.
  const message = Buffer.from([136, 0, 0, 0, 0x20, 0, 0, 0, ...target, 2, 1, ...bytesOf(mac)]);
  const pseudoHeader = Buffer.from([...target, ...allNodes, 0, 0, 0, message.length, 0, 0, 0, ICMPV6]);
  message.writeUInt16BE(checksum(Buffer.concat([pseudoHeader, message])), 2);
  return Buffer.concat([
    // EtherType IPv6; version 6, payload length, next header, hop limit 255.
    Buffer.from([...bytesOf(ALL_NODES_MAC), ...bytesOf(mac), 0x86, 0xdd]),
    Buffer.from([0x60, 0, 0, 0, 0, message.length, ICMPV6, 255, ...target, ...allNodes]),
    message,
  ]);
}

function bytesOf(mac: string): readonly number[] {
  return mac.split(':').map((byte) => Number.parseInt(byte, 16));
}

/** RFC 1071, of an even number of bytes. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let index = 0; index < bytes.length; index += 2) sum += bytes.readUInt16BE(index);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
