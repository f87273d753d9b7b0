import assert from 'node:assert/strict';
import { ClientDescriptions, type ClientMarks } from '../../../sidecar/openvpn/client-descriptions.js';
import type { ClientStatus } from '../../../sidecar/status.js';
import { addressOf, established, snapshot } from '../sessions/notifications.js';
import { RecordedTable } from '../sessions/recorded-table.js';

const ENV = { common_name: 'alice', trusted_ip: '192.0.2.10', trusted_port: '40000' };
const NO_MARKS: ClientMarks = { refused: [], isKicked: false };
const TWO_BYTES = snapshot([{ cid: 0, addresses: ['10.8.0.2', '10.8.7.0/24'], bytes: [2n, 2n] }]);
const ONE_ADDRESS = snapshot([{ cid: 0, addresses: ['10.8.0.2'] }]);

describe('ClientDescriptions', () => {
  let table: RecordedTable;
  let descriptions: ClientDescriptions;

  beforeEach(() => {
    descriptions = new ClientDescriptions('unix:/run/management.sock');
    table = new RecordedTable().hear(
      addressOf(0, '10.8.0.2'),
      addressOf(0, '10.8.7.0/24', false),
      established(0, { common_name: 'alice' }),
    );
  });

  function describeAlice(marks = NO_MARKS): ClientStatus {
    const [alice] = table.table.list();
    assert.ok(alice);
    return descriptions.of(alice, marks);
  }

  it('gives the same object while nothing changes', () => {
    const first = describeAlice();

    assert.equal(describeAlice({ refused: [], isKicked: false }), first);
    assert.deepEqual(first.addresses, ['10.8.0.2', '10.8.7.0/24']);
    assert.equal(first.management, 'unix:/run/management.sock');
  });

  for (const [change, make, seen, value] of [
    ['a count', () => table.see(TWO_BYTES), ({ traffic }) => traffic?.received, 2],
    ['an address', () => table.hear(addressOf(0, 'fd00:8::2')), ({ addresses }) => addresses.length, 3],
    ['the end of an address', () => table.see(ONE_ADDRESS), ({ addresses }) => addresses.length, 1],
    ['an environment', () => table.hear(established(0, ENV)), ({ realAddress }) => realAddress, '192.0.2.10:40000'],
  ] satisfies [string, () => void, (status: ClientStatus) => unknown, unknown][])
    it(`says what ${change} changes`, () => {
      const first = describeAlice();
      make();

      assert.notEqual(describeAlice(), first);
      assert.equal(seen(describeAlice()), value);
    });

  it('says what was refused and that it was kicked, and no longer than it is so', () => {
    const first = describeAlice();
    const refused = [{ network: '10.8.7.0/24', reason: 'not of this VPN' }];
    const marked = describeAlice({ refused, isKicked: true });

    assert.deepEqual(marked.refused, refused);
    assert.equal(marked.isKicked, true);
    assert.equal(describeAlice({ refused: [...refused], isKicked: true }), marked);
    assert.deepEqual(
      describeAlice({ refused: [{ network: '10.8.7.0/24', reason: 'taken' }], isKicked: true }).refused,
      [{ network: '10.8.7.0/24', reason: 'taken' }],
    );
    assert.deepEqual(describeAlice(), first);
  });
});
