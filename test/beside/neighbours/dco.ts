import { OPENVPN } from '../../lab/openvpn.js';
import type { Neighbour } from '../neighbour.js';

const VERSIONS = { Linux: ['host:uname', '-r'], OpenVPN: [`host:${OPENVPN}`, '--version'] } as const;

/** Rows that test/vm/dco.sh runs, each in the kernel that has its device. */
export const DCO_NEIGHBOURS: Readonly<Record<'ovpn' | 'ovpn-dco-v2', Neighbour>> = {
  ovpn: {
    name: 'data channel offload, `ovpn` of the kernel',
    group: 'OpenVPN',
    where: 'vm',
    versions: VERSIONS,
    named: [
      {
        by: 'doctor',
        check: 'openvpn-options',
        severity: 'info',
        text: /data channel offload: on \(device type ovpn\)/,
      },
    ],
  },
  'ovpn-dco-v2': {
    name: 'data channel offload, ovpn-dco of openvpn-dco-dkms',
    group: 'OpenVPN',
    where: 'vm',
    versions: VERSIONS,
    named: [
      {
        by: 'doctor',
        check: 'openvpn-options',
        severity: 'info',
        text: /data channel offload: on \(device type ovpn-dco\)/,
      },
    ],
  },
};
