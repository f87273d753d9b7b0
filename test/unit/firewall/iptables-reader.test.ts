/** What is read out of tables mangle, beyond what the suite of IptablesFirewall shows. */
import assert from 'node:assert/strict';

import { readTables } from 'iptables-wrapper';

import { type InstalledChains, readChains } from '../../../sidecar/firewall/iptables-reader.js';

function read(text: string, text6 = '*mangle\nCOMMIT\n'): InstalledChains {
  const [chains4, chains6] = [text, text6].map((saved) => readTables(saved).flatMap(({ chains }) => chains));
  return readChains(
    [
      { family: 4, chains: chains4 ?? [] },
      { family: 6, chains: chains6 ?? [] },
    ],
    'gwmark',
  );
}

/** The chains of gateway 7. */
function gateway7(learnt: number): string {
  return `*mangle\n:gwmark-learn-7 - [0:0]\n:gwmark-return-7 - [0:0]\n[${learnt}:400] -A gwmark-learn-7 -j CONNMARK --set-xmark 0x7000000/0xff000000\n[2:60] -A gwmark-return-7 -j MARK --set-xmark 0x7000000/0xff000000\nCOMMIT\n`;
}

/** A chain of one rule, for a device. */
function fromDevice(packets: number, device: string): string {
  return `*mangle\n:gwmark-in - [0:0]\n[${packets}:0] -A gwmark-in -i ${device} -j RETURN\nCOMMIT\n`;
}

describe('readChains', () => {
  it('adds up what the chains of a gateway counted in both families, by direction', () => {
    const { counters } = read(gateway7(5), gateway7(1));

    assert.deepEqual([...counters.received], [[7, { packets: 6, bytes: 800 }]]);
    assert.deepEqual([...counters.sent], [[7, { packets: 4, bytes: 120 }]]);
  });

  it('tells why packets took the normal route, and counts no packet twice that was noted before', () => {
    const { counters } = read(
      '*mangle\n:gwmark-unknown - [0:0]\n:gwmark-no-gateway - [0:0]\n[3:90] -A gwmark-unknown -i lan0 -j SET --add-set gwmark-seen-lan0 src --exist\n[3:90] -A gwmark-unknown -j RETURN\n[4:80] -A gwmark-no-gateway -i tun0 -j RETURN\n[1:20] -A gwmark-no-gateway -i tun1 -j RETURN\nCOMMIT\n',
    );

    assert.deepEqual(
      [...counters.fallThrough],
      [
        ['learn_unknown_mac', { packets: 3, bytes: 90 }],
        ['return_no_gateway', { packets: 5, bytes: 100 }],
      ],
    );
  });

  it('gives the same fingerprint whatever was counted, and another for any other change', () => {
    assert.equal(read(fromDevice(1, 'lan0')).fingerprint, read(fromDevice(2, 'lan0')).fingerprint);
    assert.notEqual(read(fromDevice(1, 'lan0')).fingerprint, read(fromDevice(1, 'lan1')).fingerprint);
  });
});
