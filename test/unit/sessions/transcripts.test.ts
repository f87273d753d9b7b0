/** What real servers said, through the decoder into the table: who is connected, and when. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Notification, StatusSnapshot } from 'openvpn-management-client';
import { Decoder, parseStatus3 } from 'openvpn-management-client';
import { Transcript } from 'openvpn-management-client/testing';
import { RecordedTable } from './recorded-table.js';

const TRANSCRIPTS = new URL('../../../../test/transcripts/', import.meta.url);

describe('SessionTable fed with a recorded transcript', () => {
  it('client-auth: a client with three subnets comes, renegotiates and goes', () => {
    const table = play('client-auth');

    assert.deepEqual(
      table.changes.filter((change) => /^(connected|gone)/.test(change)),
      ['connected 0', 'gone 0 disconnect'],
    );
    assert.deepEqual(added(table), [
      '198.51.100.2/32',
      '2001:db8:8::1000/128',
      '203.0.113.128/26',
      '203.0.113.0/25',
      '2001:db8:77::/64',
    ]);
    assert.deepEqual(table.connected, {});
  });

  it('client-auth: the snapshots in it say what the events said', () => {
    assert.deepEqual(
      play('client-auth', { events: true, snapshots: true }).changes,
      play('client-auth', { events: true, snapshots: false }).changes,
    );
  });

  it('takeover: the address stays with the second client of that name', () => {
    const before = new Map<string, number>();
    const table = play('takeover', { events: true, snapshots: true }, (now) => {
      for (const [cid, addresses] of Object.entries(now.connected))
        if (addresses.includes('198.51.100.2/32')) before.set(cid, (before.get(cid) ?? 0) + 1);
    });

    assert.deepEqual([...before.keys()], ['0', '1']);
    assert.deepEqual(table.changes.filter((change) => /^(connected|gone)/.test(change)).slice(0, 3), [
      'connected 0',
      'gone 0 disconnect',
      'connected 1',
    ]);
  });

  it('reject: neither the denied nor the disabled client is ever connected', () => {
    assert.deepEqual(play('reject').changes, []);
  });

  it('sigusr1: the CID that is given out again is another session', () => {
    const sessions = new Set<string>();
    play('sigusr1', { events: true, snapshots: true }, (now) => {
      for (const { epoch, cid } of now.table.list()) sessions.add(`${epoch} ${cid}`);
    });

    assert.deepEqual([...sessions], ['1 0', '2 0']);
  });

  it('without-client-auth: clients come by snapshots, and go by them', () => {
    const table = play('without-client-auth');

    assert.ok(table.changes.some((change) => change.startsWith('connected')));
    assert.ok(
      table.changes.filter((change) => change.startsWith('gone')).every((change) => change.endsWith('resync')),
    );
    assert.deepEqual(
      play('without-client-auth', { events: true, snapshots: false }).changes,
      [],
      'its events alone tell of nobody',
    );
  });

  it('ipv6-transport: two clients behind real addresses without ports are told apart', () => {
    const seen = new Set<string>();
    play('ipv6-transport', { events: false, snapshots: true }, (now) => seen.add(JSON.stringify(now.connected)));

    assert.ok(
      seen.has('{"0":["198.51.100.2/32","2001:db8:8::1000/128"],"1":["198.51.100.3/32","2001:db8:8::1001/128"]}'),
      [...seen].join('\n'),
    );
  });

  it('twins: a subnet stays with the latest of its name, and never goes to the client of another', () => {
    for (const events of [true, false]) {
      const owners = new Set<string>();
      play('twins', { events, snapshots: true }, (now) => {
        for (const [cid, addresses] of Object.entries(now.connected))
          if (addresses.includes('203.0.113.0/25')) owners.add(cid);
      });

      // Events tell it of the first of that name before the second is there; the first snapshot comes after that.
      assert.deepEqual([...owners].toSorted(), events ? ['1', '2'] : ['2']);
    }
  });

  it('no-address: a client with subnets alone is connected, by events and by snapshots, and halves of everything are what they are', () => {
    for (const take of [
      { events: true, snapshots: true },
      { events: true, snapshots: false },
      { events: false, snapshots: true },
    ]) {
      const seen = new Map<string, readonly string[]>();
      play('no-address', take, (now) => {
        for (const [cid, addresses] of Object.entries(now.connected)) seen.set(cid, addresses.toSorted());
      });

      assert.deepEqual(Object.fromEntries(seen), {
        0: ['2001:db8:77::/64', '203.0.113.0/25', '203.0.113.128/26'],
        1: ['0.0.0.0/1', '128.0.0.0/1', '8000::/1', '::/1'],
      });
    }
  });

  for (const name of ['broken-status', 'odd-text', 'tcp-kill', 'hold', 'password']) {
    it(`${name}: whoever came is gone at the end, and nobody is left over`, () => {
      const table = play(name);
      const came = table.changes.filter((change) => change.startsWith('connected')).length;
      const went = table.changes.filter((change) => change.startsWith('gone')).length;
      assert.equal(went + Object.keys(table.connected).length, came);
      assert.equal(Object.keys(table.connected).length, 0);
    });
  }
});

function added(table: RecordedTable): string[] {
  return table.changes.filter((change) => change.startsWith('+')).map((change) => change.split(' ')[2] ?? '');
}

/** Feeds what the daemon said, message by message; a snapshot is taken where its table ends. */
function play(
  name: string,
  take = { events: true, snapshots: true },
  look: (table: RecordedTable) => void = () => undefined,
): RecordedTable {
  const table = new RecordedTable();
  const bytes = Transcript.parse(readFileSync(new URL(`${name}.txt`, TRANSCRIPTS), 'utf8')).received;
  let rows: string[] | null = null;
  let began = 0;
  for (const message of new Decoder().push(bytes)) {
    if (
      message.kind === 'line' ||
      message.kind === 'success' ||
      message.kind === 'error' ||
      message.kind === 'end' ||
      message.kind === 'password-prompt'
    ) {
      const text = 'text' in message ? message.text : '';
      if (message.kind === 'line' && text.startsWith('TITLE\t')) {
        rows = [];
        began = table.seq;
      }
      if (message.kind === 'line') rows?.push(text);
      else {
        // A table that breaks off without END is none.
        if (message.kind === 'end' && rows !== null && take.snapshots) table.see(snapshotOf(rows), began);
        rows = null;
      }
    } else if (take.events) hear(table, message);
    look(table);
  }
  return table;
}

function hear(table: RecordedTable, message: Notification): void {
  if (message.kind === 'state' && (message.name === 'RECONNECTING' || message.name === 'EXITING'))
    table.restart().clear('epoch');
  table.hear(message);
}

function snapshotOf(rows: readonly string[]): StatusSnapshot {
  return parseStatus3(rows);
}
