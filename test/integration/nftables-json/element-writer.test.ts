import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { NftError, openNftables, type Command } from 'nftables-json';
import {
  ElementWriter,
  openNetlinkSocket,
  toElementChanges,
  type ElementChange,
  type NetlinkSocket,
} from 'nftables-json/testing';
import { requireOwnNamespace } from './namespace-guard.js';

const SET = { family: 'inet', table: 'writer', name: 'clients' } as const;
const INTERVALS = 'delete set inet writer clients; add set inet writer clients { type ipv4_addr; flags interval; }';

/** What happens to a datagram on its way. The first is the question about the set, the second the transaction. */
type Fault = (send: () => boolean, datagram: number) => boolean;

describe('a transaction of elements on a netlink socket', () => {
  let socket: NetlinkSocket;
  before(requireOwnNamespace);

  before(async () => {
    // libnftables must be the first to load koffi in a process.
    await openNftables({ executor: 'library' }).then((nftables) => nftables[Symbol.asyncDispose]());
  });

  beforeEach(async () => {
    nft(
      'flush ruleset; add table inet writer; add set inet writer clients { type ipv4_addr; }; add element inet writer clients { 192.0.2.1 }',
    );
    socket = await openNetlinkSocket();
  });

  afterEach(() => {
    socket.close();
    nft('flush ruleset');
  });

  it('is applied whole, and raises the generation by one', () => {
    const writer = new ElementWriter(socket);
    const generation = writer.generation();

    assert.equal(writer.apply(changes({ add: '192.0.2.2' }, { delete: '192.0.2.1' })), true);
    assert.equal(writer.generation(), generation + 1);
    assert.equal(listed(), '192.0.2.2');
  });

  it('comes after a listing of more elements than one answer holds', () => {
    const many = Array.from({ length: 1000 }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
    nft(`add element inet writer clients { ${many.join(', ')} }`);
    const writer = new ElementWriter(socket);

    assert.equal(writer.hasElements(SET), true);
    assert.equal(writer.apply(changes({ delete: '192.0.2.1' })), true);
    nft('flush set inet writer clients');
    assert.equal(writer.hasElements(SET), false);
    assert.equal(writer.hasElements({ ...SET, name: 'absent' }), undefined);
    assert.equal(writer.apply(changes({ add: '192.0.2.2' })), true);
    assert.equal(listed(), '192.0.2.2');
  });

  it('is not applied at all if one element of it is refused', () => {
    assert.equal(
      new ElementWriter(socket).apply(changes({ add: '192.0.2.2' }, { delete: '192.0.2.99' }, { add: '192.0.2.3' })),
      false,
    );
    assert.equal(listed(), '192.0.2.1');
  });

  it('is not sent where the set is no plain set', () => {
    nft(INTERVALS);
    let sent = 0;
    const writer = faulty((send) => {
      sent += 1;
      return send();
    });

    assert.equal(writer.apply(changes({ add: '192.0.2.2' })), false);
    assert.equal(sent, 1);
  });

  it('does not reach a set that was recreated as one of intervals just before', () => {
    const writer = faulty((send, datagram) => {
      if (datagram === 2) {
        nft(INTERVALS);
      }
      return send();
    });

    assert.equal(writer.apply(changes({ add: '192.0.2.2' })), false);
    assert.equal(listed(), '');
  });

  it('is sent again where another program changed something else just before', () => {
    const writer = faulty((send, datagram) => {
      if (datagram === 2) {
        nft('add table inet other');
      }
      return send();
    });

    assert.equal(writer.apply(changes({ add: '192.0.2.2' })), true);
    assert.equal(listed(), '192.0.2.1 192.0.2.2');
  });

  it('is sent without a question after the set was looked at ahead of it', () => {
    let sent = 0;
    const writer = faulty((send) => {
      sent += 1;
      return send();
    });
    assert.equal(writer.apply(changes({ add: '192.0.2.2' })), true);
    writer.prepare();
    const before = sent;

    assert.equal(writer.apply(changes({ delete: '192.0.2.2' })), true);
    assert.equal(sent - before, 1);
    assert.equal(listed(), '192.0.2.1');
  });

  it('does not reach a set that was recreated as one of intervals after it was looked at ahead', () => {
    const writer = new ElementWriter(socket);
    assert.equal(writer.apply(changes({ add: '192.0.2.2' })), true);
    writer.prepare();
    nft(INTERVALS);

    assert.equal(writer.apply(changes({ add: '192.0.2.3' })), false);
    assert.equal(listed(), '');
  });

  it('asks about another set than the one that was looked at ahead', () => {
    nft('add set inet writer other { type ipv4_addr; flags interval; }');
    const writer = new ElementWriter(socket);
    assert.equal(writer.apply(changes({ add: '192.0.2.2' })), true);
    writer.prepare();

    const other =
      toElementChanges([{ add: { element: { ...SET, name: 'other', elem: ['192.0.2.3'] } } }]) ??
      assert.fail('no plain addresses');
    assert.equal(writer.apply(other), false);
  });

  it('is given up, without effect, where another program changes something each time', () => {
    let round = 0;
    const writer = faulty((send, datagram) => {
      if (datagram % 2 === 0) {
        round += 1;
        nft(`add table inet other${round}`);
      }
      return send();
    });

    assert.equal(writer.apply(changes({ add: '192.0.2.2' })), false);
    assert.equal(round, 3);
    assert.equal(listed(), '192.0.2.1');
  });

  it('has no effect where the socket does not take it', () => {
    const writer = faulty((send, datagram) => datagram !== 2 && send());

    assert.equal(writer.apply(changes({ add: '192.0.2.2' })), false);
    assert.equal(listed(), '192.0.2.1');
  });

  for (const loss of ['none', 'lost'] as const) {
    it(`has an unknown outcome if it was applied and the answer is ${loss}, so that nobody applies it twice`, () => {
      const writer = deaf(loss);

      assert.throws(
        () => writer.apply(changes({ delete: '192.0.2.1' })),
        (error) =>
          error instanceof NftError && error.code === 'UNAVAILABLE' && error.message.includes('outcome unknown'),
      );
      assert.equal(listed(), '');
    });

    it(`is known to have had no effect if it was refused and the answer is ${loss}: the generation is the same`, () => {
      assert.equal(deaf(loss).apply(changes({ add: '192.0.2.2' }, { delete: '192.0.2.99' })), false);
      assert.equal(listed(), '192.0.2.1');
    });
  }

  it('is not judged by a refusal of another request that still waited on the socket', () => {
    const unknownMessage = Buffer.alloc(20);
    new Uint32Array(unknownMessage.buffer, unknownMessage.byteOffset, 3).set([20, (1 << 16) | 0x0a63, 0xeeee]);
    const writer = faulty((send, datagram) => {
      if (datagram === 2) {
        assert.ok(socket.send(unknownMessage, unknownMessage.length));
      }
      return send();
    });

    assert.equal(writer.apply(changes({ add: '192.0.2.2' })), true);
    assert.equal(listed(), '192.0.2.1 192.0.2.2');
  });

  it('takes as many datagrams and bytes beside 100,000 elements and 20,000 intervals as alone', () => {
    const alone = trafficOfChange();
    const ranges = Array.from({ length: 20_000 }, (_, index) => `10.${index >> 7}.${(index & 127) << 1}.0/24`);
    nft(
      `table inet writer { set clients { type ipv4_addr; elements = { ${addresses(100_000).join(', ')} }; }; }
       table ip foreign { set subnets { type ipv4_addr; flags interval; elements = { ${ranges.join(', ')} }; }; }`,
    );

    assert.deepEqual(trafficOfChange(), alone);
    assert.equal(nft('list set inet writer clients').split(',').length, 100_001);
  });

  /** What a writer and the kernel tell one another when an element comes and goes. */
  function trafficOfChange(): object {
    const traffic = { datagrams: 0, sentBytes: 0, answers: 0, receivedBytes: 0 };
    const writer = new ElementWriter({
      ...socket,
      send(bytes, length) {
        traffic.datagrams += 1;
        traffic.sentBytes += length;
        return socket.send(bytes, length);
      },
      receive(into) {
        const received = socket.receive(into);
        if (typeof received === 'number') {
          traffic.answers += 1;
          traffic.receivedBytes += received;
        }
        return received;
      },
    });
    assert.equal(writer.apply(changes({ add: '192.0.2.2' })), true);
    assert.equal(writer.apply(changes({ delete: '192.0.2.2' })), true);
    return traffic;
  }

  function faulty(fault: Fault): ElementWriter {
    let datagrams = 0;
    return new ElementWriter({
      ...socket,
      send(bytes, length) {
        datagrams += 1;
        return fault(() => socket.send(bytes, length), datagrams);
      },
    });
  }

  /** Loses the answers to the transaction, and no others. */
  function deaf(loss: 'none' | 'lost'): ElementWriter {
    let datagrams = 0;
    return new ElementWriter({
      ...socket,
      send(bytes, length) {
        datagrams += 1;
        return socket.send(bytes, length);
      },
      receive(into) {
        const received = socket.receive(into);
        if (datagrams !== 2 || received === 'none') {
          return received;
        }
        if (loss === 'none') {
          return this.receive(into);
        }
        return loss;
      },
    });
  }
});

function changes(
  ...steps: readonly ({ readonly add: string } | { readonly delete: string })[]
): readonly ElementChange[] {
  const commands = steps.map((step): Command =>
    'add' in step
      ? { add: { element: { ...SET, elem: [step.add] } } }
      : { delete: { element: { ...SET, elem: [step.delete] } } },
  );
  return toElementChanges(commands) ?? assert.fail('no plain addresses');
}

function addresses(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`);
}

function nft(input: string): string {
  return execFileSync('nft', ['-f', '-'], { input, encoding: 'utf8', maxBuffer: 64 << 20 });
}

function listed(): string {
  const [, elements = ''] = /elements = \{ ([^}]*) \}/u.exec(nft('list set inet writer clients')) ?? [];
  return elements
    .split(',')
    .map((each) => each.trim())
    .toSorted()
    .join(' ');
}
