import type { StatusDocument } from '../../../sidecar/status.js';

/** A sidecar in order, with one client and one gateway. */
export const READY: StatusDocument = {
  version: '1.2.3',
  datapath: 'nexthop',
  firewall: 'nftables',
  ready: true,
  problems: [],
  servers: [
    {
      management: 'unix:/run/openvpn/management.sock',
      state: 'ready',
      device: 'tun0',
      transport: [{ protocol: 'udp', address: '0.0.0.0', port: 1194 }],
      reconnects: 0,
      resyncs: 0,
    },
  ],
  clients: [
    {
      cid: '18446744073709551615',
      epoch: 1,
      commonName: 'alice',
      realAddress: '192.0.2.7:4711',
      addresses: ['10.8.0.2'],
      since: '2025-01-01T00:00:00Z',
    },
  ],
  gateways: [
    {
      id: 1,
      device: 'lan0',
      mac: '02:00:00:00:00:01',
      addresses: ['10.0.0.1'],
      state: 'active',
      received: { packets: 3, bytes: 300 },
      sent: { packets: 2, bytes: 200 },
      learnedFlows: null,
      moves: 0,
      idleMs: null,
    },
  ],
  uplink: 1,
  startedAt: '2025-01-01T00:00:00.000Z',
  repairs: { firewall: 0, routing: 0 },
  fallThrough: { learn_unknown_mac: 1, return_no_gateway: 0 },
  moduleCounters: null,
  elements: 5,
  appliedPass: 3,
  markMask: 0xff00_0000,
  networkNamespace: null,
};

/** The same with something wrong. */
export const NOT_READY: StatusDocument = { ...READY, ready: false, problems: ['no nft', 'no uplink'] };
