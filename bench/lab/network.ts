import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** The endpoint's LAN device. */
export const LAN_DEVICE = 'lan0';
/** Where OpenVPN would wait for its clients. */
const TRANSPORT = { address: '192.0.2.1', port: 1194 } as const;

/** The same for the setting `transport`: the fake server has no process that could tell it. */
export const TRANSPORT_SETTING = `udp/${TRANSPORT.address}:${TRANSPORT.port}`;

/**
 * Makes this process's network namespace an endpoint: a LAN device, the tunnel that the fake management server tells
 * of, and the UDP socket of OpenVPN. Everything goes with the namespace.
 *
 * @returns the socket; the caller closes it
 */
export async function makeEndpoint(): Promise<Socket> {
  ip('link set lo up');
  ip(`link add ${LAN_DEVICE} type veth peer name peer0`);
  // The far end has no life of its own: no router solicitations that would make it a gateway in the middle of a
  // measurement.
  writeFileSync('/proc/sys/net/ipv6/conf/peer0/disable_ipv6', '1');
  ip('link set peer0 up');
  ip(`link set ${LAN_DEVICE} up`);
  ip(`addr add ${TRANSPORT.address}/24 dev ${LAN_DEVICE}`);
  ip('tuntap add mode tun name tun0');
  ip('link set tun0 up');
  ip('addr add 10.64.0.1/10 dev tun0');
  ip('addr add 2001:db8:8::1/64 dev tun0');
  const socket = createSocket('udp4');
  socket.bind(TRANSPORT.port, TRANSPORT.address);
  await once(socket, 'listening');
  return socket;
}

/** The address of the client with this number, 0..4194300: inside the tunnel's network, and never twice. */
export function clientAddress(number: number): string {
  const host = number + 2;
  return `10.${64 + (host >> 16)}.${(host >> 8) & 255}.${host & 255}`;
}

function ip(command: string): void {
  execFileSync('ip', command.split(' '), { stdio: ['ignore', 'ignore', 'inherit'] });
}
