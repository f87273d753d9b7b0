import assert from 'node:assert/strict';
import { parseCid, parseClientAddress } from 'openvpn-management-client';
import { type Candidate, describeClient, findClients } from '../../../sidecar/sessions/client-search.js';

const OFFICE = 'unix:/run/office.sock';

function candidate(
  cid: string,
  commonName: string,
  realAddress: string | null,
  ...networks: readonly string[]
): Candidate {
  const addresses = networks.map((text) => parseClientAddress(text)).filter((address) => address !== undefined);
  return {
    server: OFFICE,
    session: {
      epoch: 1,
      cid: parseCid(cid),
      commonName,
      realAddress,
      addresses: new Map(addresses.map((address) => [address.cidr, address])),
      since: new Date(0),
      traffic: null,
      revision: 0,
    },
  };
}

const ALICE = candidate('0', 'alice', '192.0.2.10:40000', '10.8.0.2', '192.168.77.0/24');
const ALICE_TOO = candidate('3', 'alice', 'udp4:192.0.2.10:40001', '10.8.0.3');
const BOB = candidate('7', 'bob', '[2001:db8::7]:1194', '10.8.0.7', 'fd00:8::7');
const SEVEN = candidate('9', '7', null, '10.8.0.9');
const ALL = [ALICE, ALICE_TOO, BOB, SEVEN];

describe('the client that a word means', () => {
  const cases: readonly (readonly [what: string, word: string, found: readonly Candidate[]])[] = [
    ['everybody of a common name', 'alice', [ALICE, ALICE_TOO]],
    ['an IPv4 address in the tunnel', '10.8.0.3', [ALICE_TOO]],
    ['an IPv6 address in the tunnel, however it is written', 'FD00:8:0:0::7', [BOB]],
    ['a subnet behind a client', '192.168.77.0/24', [ALICE]],
    ['no address within such a subnet', '192.168.77.2', []],
    ['a real address with its port', '192.0.2.10:40001', [ALICE_TOO]],
    ['a real address as OpenVPN 2.7 writes it', 'udp4:192.0.2.10:40001', [ALICE_TOO]],
    ['a real address without a port: everybody there', '192.0.2.10', [ALICE, ALICE_TOO]],
    ['an IPv6 real address', '2001:db8::7', [BOB]],
    ['an IPv6 real address with its port', '[2001:db8::7]:1194', [BOB]],
    ['no client of another port', '[2001:db8::7]:1195', []],
    ['a number: a CID, and a name', '7', [BOB, SEVEN]],
    ['a CID alone, with cid:', 'cid:7', [BOB]],
    ['no part of a name', 'ali', []],
    ['no name in other case', 'Alice', []],
    ['nobody', '', []],
  ];
  for (const [what, word, found] of cases)
    it(`is ${what} (${JSON.stringify(word)})`, () => {
      assert.deepEqual(findClients(word, ALL), found);
    });

  it('is described in one line', () => {
    assert.equal(describeClient(ALICE), `alice (10.8.0.2 192.168.77.0/24) from 192.0.2.10:40000, CID 0 at ${OFFICE}`);
    assert.equal(describeClient(SEVEN), `7 (10.8.0.9) from an unknown address, CID 9 at ${OFFICE}`);
  });
});
