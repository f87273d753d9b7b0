import assert from 'node:assert/strict';
import type { NetlinkSocket } from 'nftables-json/netlink';
import { hostUint16, hostUint32, uint32 } from '../../../sidecar/routing/netlink/messages.js';
import { RouteSocket } from '../../../sidecar/routing/netlink/route-socket.js';

const NAMES = { indexOf: () => 1, nameOf: () => 'lan0', describe: (errno: number) => `errno ${errno}` };
const REQUEST = { type: 24, flags: 4, own: Buffer.alloc(12), attributes: Buffer.alloc(0) };
const [ERROR, DONE, ROUTE] = [2, 3, 24];
const [MULTI, DUMP_INTR, CAPPED, ACK_TLVS] = [0x2, 0x10, 0x100, 0x200];

type Datagram = Buffer | 'lost';

describe('a socket of rtnetlink', () => {
  it('passes over answers to requests before its own', () => {
    const socket = socketThat((sequence) => [verdict(sequence - 1, 17), verdict(sequence, 0)]);

    socket.ask(REQUEST);
  });

  it('refuses in the words of the kernel where it has some, else in those of the errno', () => {
    const words = Buffer.concat([hostUint16(4 + 12), hostUint16(1), Buffer.from('Invalid hop\0')]);
    const speaking = socketThat((sequence) => [verdict(sequence, 22, CAPPED | ACK_TLVS, words)]);
    const silent = socketThat((sequence) => [verdict(sequence, 22, CAPPED)]);

    assert.throws(() => speaking.ask(REQUEST), { message: 'Invalid hop' });
    assert.throws(() => silent.ask(REQUEST), { message: 'errno 22' });
  });

  it('does not take a change for made without an answer to it', () => {
    const socket = socketThat(() => []);

    assert.throws(() => socket.ask(REQUEST), { message: /whether it was done is unknown/ });
  });

  it('takes a listing from several datagrams, and from several messages of one', async () => {
    const socket = socketThat((sequence) => [
      Buffer.concat([message(ROUTE, MULTI, sequence, 'a'), message(ROUTE, MULTI, sequence, 'b')]),
      message(ROUTE, MULTI, sequence, 'c'),
      done(sequence),
    ]);

    assert.deepEqual(await listed(socket), ['a', 'b', 'c']);
  });

  for (const [what, first] of [
    [
      'that changed meanwhile',
      (sequence: number): Datagram[] => [message(ROUTE, MULTI | DUMP_INTR, sequence, 'x'), done(sequence)],
    ],
    [
      'of which a part was lost',
      (sequence: number): Datagram[] => [message(ROUTE, MULTI, sequence, 'x'), 'lost', done(sequence)],
    ],
  ] as const) {
    it(`reads a listing again ${what}`, async () => {
      let count = 0;
      const socket = socketThat((sequence) => {
        count += 1;
        return count === 1 ? first(sequence) : [message(ROUTE, MULTI, sequence, 'y'), done(sequence)];
      });

      assert.deepEqual(await listed(socket), ['y']);
    });
  }

  it('gives up a listing that changes each time', async () => {
    const socket = socketThat((sequence) => [message(DONE, MULTI | DUMP_INTR, sequence, hostUint32(0))]);

    await assert.rejects(listed(socket), { message: 'the table changed during each of 10 listings' });
  });

  it('refuses a listing that ends with an error', async () => {
    const socket = socketThat((sequence) => [message(DONE, MULTI, sequence, hostUint32(-105))]);

    await assert.rejects(listed(socket), { message: 'errno 105' });
  });
});

/** A socket whose kernel answers a request of this sequence number so. */
function socketThat(answer: (sequence: number) => readonly Datagram[]): RouteSocket {
  return new RouteSocket(fake(answer), fake(answer), NAMES);
}

function fake(answer: (sequence: number) => readonly Datagram[]): NetlinkSocket {
  const waiting: Datagram[] = [];
  const send = (bytes: Uint8Array): boolean => {
    waiting.push(...answer(uint32(Buffer.from(bytes), 8)));
    return true;
  };
  const receive = (into: Uint8Array): number | 'none' | 'lost' => {
    const next = waiting.shift();
    if (next === undefined) return 'none';
    if (next === 'lost') return 'lost';
    into.set(next);
    return next.length;
  };
  return {
    send,
    receive,
    sendAside: async (bytes) => send(bytes),
    receiveAside: async (into) => {
      const received = receive(into);
      assert.notEqual(received, 'none');
      return received === 'none' ? 'lost' : received;
    },
    onReadable: () => undefined,
    close: () => undefined,
  };
}

async function listed(socket: RouteSocket): Promise<string[]> {
  const found: string[] = [];
  await socket.list(
    26,
    Buffer.alloc(12),
    ({ body }) => found.push(body.toString()),
    () => (found.length = 0),
  );
  return found;
}

function message(type: number, flags: number, sequence: number, body: string | Buffer): Buffer {
  const bytes = Buffer.from(body);
  const padding = Buffer.alloc(-bytes.length & 3);
  return Buffer.concat([
    hostUint32(16 + bytes.length),
    hostUint16(type),
    hostUint16(flags),
    hostUint32(sequence),
    hostUint32(0),
    bytes,
    padding,
  ]);
}

function verdict(sequence: number, errno: number, flags = CAPPED, attributes = Buffer.alloc(0)): Buffer {
  return message(ERROR, flags, sequence, Buffer.concat([hostUint32(-errno), Buffer.alloc(16), attributes]));
}

function done(sequence: number): Buffer {
  return message(DONE, MULTI, sequence, hostUint32(0));
}
