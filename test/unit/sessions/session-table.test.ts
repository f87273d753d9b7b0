import assert from 'node:assert/strict';
import { RecordedTable } from './recorded-table.js';
import { addressOf, cidOf, connect, disconnect, established, reauth, snapshot } from './notifications.js';

const ENV = { common_name: 'alice', trusted_ip: '192.0.2.10', trusted_port: '40000', time_unix: '1767225600' };

describe('SessionTable under --management-client-auth', () => {
  it('follows a client from CONNECT to DISCONNECT', () => {
    const table = new RecordedTable().hear(
      connect(0, ENV),
      addressOf(0, '10.8.0.2'),
      addressOf(0, 'fd00:8::1000'),
      addressOf(0, '192.168.77.0/255.255.255.0', false),
      established(0, ENV),
    );
    const [session] = table.table.list();

    assert.equal(session?.commonName, 'alice');
    assert.equal(session?.realAddress, '192.0.2.10:40000');
    assert.equal(session?.since.toISOString(), '2026-01-01T00:00:00.000Z');
    assert.deepEqual(table.connected, { 0: ['10.8.0.2/32', 'fd00:8::1000/128', '192.168.77.0/24'] });
    table.hear(disconnect(0, ENV));
    assert.deepEqual(table.changes, [
      'connected 0',
      '+ 0 10.8.0.2/32',
      '+ 0 fd00:8::1000/128',
      '+ 0 192.168.77.0/24',
      '- 0 10.8.0.2/32',
      '- 0 fd00:8::1000/128',
      '- 0 192.168.77.0/24',
      'gone 0 disconnect',
    ]);
    assert.deepEqual(table.connected, {});
  });

  it('has what the latest snapshot counts of a client, and nothing before the first', () => {
    const table = new RecordedTable().hear(addressOf(0, '10.8.0.2'), established(0, ENV));
    const trafficOf = (): readonly unknown[] => [...table.table.list()].map(({ traffic }) => traffic);
    assert.deepEqual(trafficOf(), [null]);

    table.see(snapshot([{ cid: 0, addresses: ['10.8.0.2'], bytes: [1n, 2n] }]));
    table.see(snapshot([{ cid: 0, addresses: ['10.8.0.2'], bytes: [30n, 40n] }]));

    assert.deepEqual(
      trafficOf().map((traffic) => ({ ...(traffic as object), at: null })),
      [{ received: 30, sent: 40, at: null }],
    );
  });

  it('does not connect a client that only asked to log in', () => {
    assert.deepEqual(new RecordedTable().hear(connect(0, ENV)).changes, []);
  });

  it('says nothing of a client that went before it was established', () => {
    assert.deepEqual(new RecordedTable().hear(connect(0), disconnect(0)).changes, []);
  });

  it('takes a DISCONNECT with an empty environment', () => {
    const table = new RecordedTable().hear(addressOf(0, '10.8.0.2'), disconnect(0, {}));

    assert.deepEqual(table.changes.at(-1), 'gone 0 disconnect');
  });

  it('passes over the ESTABLISHED of a rejected client, which comes after its DISCONNECT', () => {
    const table = new RecordedTable().hear(
      connect(2, ENV),
      disconnect(2),
      established(2, { ...ENV, ifconfig_pool_remote_ip: '10.8.0.9' }),
    );

    assert.deepEqual(table.changes, []);
    table.see(snapshot([{ cid: 2, addresses: ['10.8.0.9'] }]));
    assert.deepEqual(table.connected, {}, 'a snapshot does not bring it back either');
  });

  it('does not believe an ESTABLISHED without any address, whatever its environment says', () => {
    const table = new RecordedTable().hear(
      connect(1, ENV),
      established(1, { ...ENV, ifconfig_pool_remote_ip: '10.8.0.9' }),
    );

    assert.deepEqual(table.connected, {});
  });

  it('keeps an address that passes to a second client of the same name before the first is gone', () => {
    const table = new RecordedTable().hear(
      addressOf(0, '10.8.0.2'),
      established(0),
      connect(1, ENV),
      addressOf(1, '10.8.0.2'),
      disconnect(0),
      established(1),
    );

    assert.deepEqual(table.connected, { 1: ['10.8.0.2/32'] });
  });

  it('tells clients of one name apart (duplicate-cn)', () => {
    const table = new RecordedTable().hear(
      connect(0, ENV),
      addressOf(0, '10.8.0.2'),
      connect(1, ENV),
      addressOf(1, '10.8.0.3'),
      disconnect(0),
    );

    assert.deepEqual(table.connected, { 1: ['10.8.0.3/32'] });
  });

  it('changes nothing on renegotiations, whatever their key ids', () => {
    const table = new RecordedTable().hear(addressOf(0, '10.8.0.2'), established(0, ENV));
    const before = table.changes.length;

    for (const kid of [3, 4, 9, 200]) table.hear(reauth(0, kid, { ...ENV, trusted_port: '50000' }));

    assert.equal(table.changes.length, before);
    assert.equal(
      [...table.table.list()][0]?.realAddress,
      '192.0.2.10:40000',
      'a snapshot tells of a client that floats',
    );
  });

  it('reads names with equals signs, commas, END and a leading >', () => {
    for (const name of ['a=b=c', 'a,b', 'END', '>CLIENT:DISCONNECT,0', 'Zoë']) {
      const table = new RecordedTable().hear(established(0, { common_name: name }), addressOf(0, '10.8.0.2'));
      assert.equal([...table.table.list()][0]?.commonName, name);
    }
  });

  it('takes addresses in every form that OpenVPN prints, once each', () => {
    const table = new RecordedTable().hear(
      ...['10.8.0.2', '192.168.77.9/255.255.255.0', '192.168.77.0/24', 'FD00:8:0::1000', 'fd00:77::1/64'].map((text) =>
        addressOf(7, text),
      ),
    );

    assert.deepEqual(table.connected, { 7: ['10.8.0.2/32', '192.168.77.0/24', 'fd00:8::1000/128', 'fd00:77::/64'] });
  });

  it('holds 256 subnets behind one client', () => {
    const table = new RecordedTable().hear(
      ...Array.from({ length: 256 }, (_, index) => addressOf(0, `10.${index}.0.0/16`, false)),
    );

    assert.equal(table.connected['0']?.length, 256);
    table.hear(disconnect(0));
    assert.equal(table.changes.filter((change) => change.startsWith('- 0 ')).length, 256);
  });

  it('knows CIDs up to the largest that an unsigned long holds', () => {
    const table = new RecordedTable().hear(
      addressOf('18446744073709551615', '10.8.0.2'),
      addressOf('18446744073709551614', '10.8.0.3'),
      disconnect('18446744073709551615'),
    );

    assert.deepEqual(table.connected, { '18446744073709551614': ['10.8.0.3/32'] });
  });

  it('ends everybody when the epoch ends, and takes the same CIDs again', () => {
    const table = new RecordedTable().hear(addressOf(0, '10.8.0.2'), connect(1), disconnect(1)).restart();
    table.hear(addressOf(0, '10.8.0.9'), addressOf(1, '10.8.0.10'));

    assert.deepEqual(
      table.changes.filter((change) => change.startsWith('gone')),
      ['gone 0 epoch'],
    );
    assert.deepEqual(table.connected, { 0: ['10.8.0.9/32'], 1: ['10.8.0.10/32'] });
    assert.deepEqual(
      [...table.table.list()].map(({ epoch, cid }) => [epoch, cid]),
      [
        [2, '0'],
        [2, '1'],
      ],
    );
  });

  it('passes over NOTIFY and whatever else names no session', () => {
    const table = new RecordedTable().hear(
      addressOf(0, '10.8.0.2'),
      { kind: 'notify', severity: 'info', type: 'remote-exit', text: 'EXIT' },
      { kind: 'unknown', source: 'CLIENT', text: 'BAR,0', reason: 'no such type' },
    );

    assert.deepEqual(table.connected, { 0: ['10.8.0.2/32'] });
  });

  it('forgets old CIDs of clients that are gone, so that memory does not grow with logins', () => {
    const table = new RecordedTable();
    for (let cid = 0; cid < 5000; cid += 1) table.hear(connect(cid), disconnect(cid));

    // The newest are remembered; the oldest, whose messages cannot be on their way any more, are not.
    table.hear(addressOf(4999, '10.8.0.2'), addressOf(0, '10.8.0.3'));

    assert.deepEqual(table.connected, { 0: ['10.8.0.3/32'] });
  });
});

describe('SessionTable without --management-client-auth', () => {
  it('learns of a client by ESTABLISHED and of its addresses by the snapshot', () => {
    const table = new RecordedTable()
      .hear(established(0, ENV))
      .see(snapshot([{ cid: 0, commonName: 'alice', addresses: ['10.8.0.2'], subnets: ['192.168.77.0/24'] }]));

    assert.deepEqual(table.changes, ['connected 0', '+ 0 10.8.0.2/32', '+ 0 192.168.77.0/24']);
  });

  it('learns by the snapshot alone that a client is gone', () => {
    const table = new RecordedTable()
      .hear(established(0, ENV))
      .see(snapshot([{ cid: 0, addresses: ['10.8.0.2'] }]))
      .see(snapshot([]));

    assert.deepEqual(table.changes.slice(-2), ['- 0 10.8.0.2/32', 'gone 0 resync']);
  });

  it('has no client of a server in TAP mode, which has no addresses', () => {
    const table = new RecordedTable().hear(connect(0), established(0)).see(snapshot([{ cid: 0 }]));

    assert.deepEqual(table.connected, {});
  });
});

describe('a snapshot', () => {
  it('is the same as the events that it replaces', () => {
    const events = new RecordedTable().hear(
      addressOf(0, '10.8.0.2'),
      addressOf(0, '192.168.77.0/24', false),
      established(0),
      addressOf(1, '10.8.0.3'),
      established(1),
    );
    const fresh = new RecordedTable().see(
      snapshot([
        { cid: 0, addresses: ['10.8.0.2'], subnets: ['192.168.77.0/24'] },
        { cid: 1, addresses: ['10.8.0.3'] },
      ]),
    );

    assert.deepEqual(fresh.connected, events.connected);
  });

  it('says nothing of a client that an event named after it began', () => {
    const table = new RecordedTable().hear(addressOf(0, '10.8.0.2'), established(0));
    const began = table.seq;
    table.hear(addressOf(1, '10.8.0.3'), established(1), disconnect(0));

    table.see(snapshot([{ cid: 0, addresses: ['10.8.0.2'] }]), began);

    assert.deepEqual(table.connected, { 1: ['10.8.0.3/32'] });
  });

  it('ends who is in no row of it, and nobody whose row has no address yet', () => {
    const table = new RecordedTable().hear(addressOf(0, '10.8.0.2'), addressOf(1, '10.8.0.3'), connect(2, ENV));

    table.see(snapshot([{ cid: 1, addresses: ['10.8.0.3'] }, { cid: 2 }]));

    assert.deepEqual(table.connected, { 1: ['10.8.0.3/32'] });
    table.hear(addressOf(2, '10.8.0.4'));
    assert.equal([...table.table.list()].at(-1)?.commonName, 'alice');
  });

  it('does not connect half-open rows', () => {
    assert.deepEqual(new RecordedTable().see(snapshot([{ cid: 5, realAddress: '192.0.2.9:1' }])).changes, []);
  });

  it('takes away an address that moved on, and adds the one that came, in that session', () => {
    const table = new RecordedTable()
      .hear(addressOf(0, '10.8.0.2'), established(0))
      .see(snapshot([{ cid: 0, addresses: ['10.8.0.7'] }]));

    assert.deepEqual(table.changes.slice(-2), ['+ 0 10.8.0.7/32', '- 0 10.8.0.2/32']);
  });

  it('finds the session of a row without CID by its real address', () => {
    const table = new RecordedTable().hear(established(3, ENV), addressOf(3, '10.8.0.2'));

    table.see(snapshot([{ commonName: 'alice', realAddress: '192.0.2.10:40000', addresses: ['10.8.0.2'] }]));

    assert.deepEqual(table.connected, { 3: ['10.8.0.2/32'] });
  });

  it('finds the session of a row without CID by its virtual address where the real one is printed otherwise', () => {
    const table = new RecordedTable().hear(
      established(3, { ...ENV, trusted_ip: '', trusted_ip6: '2001:db8::9' }),
      addressOf(3, '10.8.0.2'),
    );

    table.see(snapshot([{ commonName: 'alice', realAddress: '2001:db8::9', addresses: ['10.8.0.2'] }]));

    assert.deepEqual(table.connected, { 3: ['10.8.0.2/32'] });
    assert.deepEqual(table.hear(disconnect(3)).connected, {});
  });

  it('keeps two clients apart that have no CID and one real address', () => {
    const rows = snapshot([
      { commonName: 'near', realAddress: '2001:db8::9', addresses: ['10.8.0.2'] },
      { commonName: 'far', realAddress: '2001:db8::9', addresses: ['10.8.0.3'] },
    ]);

    const table = new RecordedTable().see(rows).see(rows);

    assert.deepEqual(Object.values(table.connected).flat(), ['10.8.0.2/32', '10.8.0.3/32']);
  });

  it('gives a subnet that may be either’s to one of two clients of one name and real address, and nobody’s own address to the other', () => {
    const near = { cid: 0, realAddress: '2001:db8::9', addresses: ['10.8.0.2'] };
    const far = { cid: 1, realAddress: '2001:db8::9', addresses: ['10.8.0.3'] };
    const routes = ['10.8.0.2', '10.8.0.3', '192.168.77.0/24'].map((text) => ['2001:db8::9', text] as const);

    const table = new RecordedTable().see(snapshot([near, far], routes));

    assert.deepEqual(
      table.connected,
      { 0: ['10.8.0.2/32'], 1: ['10.8.0.3/32', '192.168.77.0/24'] },
      'OpenVPN lets the latest have it',
    );
  });

  describe('of clients that look alike in the routing table', () => {
    const at = '2001:db8::9';
    const rows = [
      { cid: 10, commonName: 'other', realAddress: at, addresses: ['10.8.0.2'] },
      { cid: 9, commonName: 'site', realAddress: at, addresses: ['10.8.0.3'] },
      { cid: 2, commonName: 'site', realAddress: at, addresses: ['10.8.0.4'] },
    ];
    const cases: readonly (readonly [string, readonly string[], string | null, Parameters<typeof snapshot>[0]])[] = [
      [
        'a subnet that nobody is known to have goes to the latest of its name, in whatever order the rows are',
        [],
        '9',
        rows,
      ],
      ['an owner that an event told keeps it, though another of its name is later', ['2'], '2', rows],
      ['of two owners that events told the later has it', ['2', '9'], '9', rows],
      ['a client of another name never gets it, whatever an event told before', ['10'], '9', rows],
      [
        'a client that did not log in does not get it',
        [],
        '2',
        [rows[0] ?? {}, { ...rows[1], addresses: [] }, rows[2] ?? {}],
      ],
      [
        'where none of its name is connected nobody has it',
        [],
        null,
        [rows[0] ?? {}, { ...rows[1], addresses: [] }, { ...rows[2], addresses: [] }],
      ],
    ];
    for (const [title, told, owner, clients] of cases) {
      it(title, () => {
        const table = new RecordedTable().hear(...told.map((cid) => addressOf(cid, '192.168.77.0/24', false)));

        table.see(snapshot(clients, [[at, '192.168.77.0/24', 'site']]));

        const owners = Object.entries(table.connected)
          .filter(([, addresses]) => addresses.includes('192.168.77.0/24'))
          .map(([cid]) => cid);
        assert.deepEqual(owners, owner === null ? [] : [owner]);
      });
    }

    it('a client without a CID is not taken for one of another name at the same address', () => {
      const table = new RecordedTable().hear(
        established(3, { common_name: 'site', trusted_ip6: at, trusted_port: '1000' }),
        addressOf(3, '10.8.0.3'),
      );
      table.see(snapshot([{ cid: 3, commonName: 'site', realAddress: at, addresses: ['10.8.0.3'] }]));

      table.see(
        snapshot([
          { commonName: 'other', realAddress: at, addresses: ['10.8.0.2'] },
          { commonName: 'site', realAddress: at, addresses: ['10.8.0.3'] },
        ]),
      );

      assert.deepEqual(table.connected['3'], ['10.8.0.3/32']);
      assert.equal(Object.keys(table.connected).length, 2);
    });
  });

  it('takes a client with subnets and no address for connected', () => {
    const table = new RecordedTable().see(snapshot([{ cid: 4, subnets: ['192.168.77.0/24'] }, { cid: 5 }]));

    assert.deepEqual(table.connected, { 4: ['192.168.77.0/24'] });
  });
});

describe('clear', () => {
  it('ends everybody and lets the same CIDs come again', () => {
    const table = new RecordedTable()
      .hear(addressOf(0, '10.8.0.2'), connect(1), disconnect(1))
      .clear('epoch')
      .hear(addressOf(0, '10.8.0.2'), addressOf(1, '10.8.0.3'));

    assert.deepEqual(Object.keys(table.connected), [cidOf(0), cidOf(1)]);
    assert.ok(table.changes.includes('gone 0 epoch'));
  });
});
