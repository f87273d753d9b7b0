import assert from 'node:assert/strict';

import * as fc from 'fast-check';

import { EventStream } from '../../../sidecar/live/event-stream.js';
import { afterMessage, formatMessage, type Look, StatusDifference } from '../../../sidecar/live/message.js';
import type { ClientStatus, GatewayStatus, StatusDocument } from '../../../sidecar/status.js';

const NAME = fc.constantFrom('alice', 'bob\n\nevent: change', '\u2028 "quoted"', '');

const CLIENTS: fc.Arbitrary<ClientStatus[]> = fc.uniqueArray(
  fc.record({
    cid: fc.constantFrom('0', '1', '2', '3'),
    epoch: fc.integer({ min: 0, max: 1 }),
    commonName: NAME,
    realAddress: fc.constant(null),
    addresses: fc.array(fc.constantFrom('10.8.0.2', 'fd00::2'), { maxLength: 2 }),
    since: fc.constant('2026-01-01T00:00:00.000Z'),
    management: fc.constantFrom('unix:/a', 'unix:/b'),
  }),
  { selector: ({ cid, epoch, management }) => `${management} ${epoch} ${cid}`, maxLength: 6 },
);

const GATEWAYS = fc.uniqueArray(
  fc.record({ id: fc.integer({ min: 1, max: 4 }), mac: NAME, moves: fc.nat({ max: 3 }) }),
  { selector: ({ id }) => id, maxLength: 4 },
);

/** What a viewer sees of a document, whatever the order of its lists. */
function sorted({ clients, gateways, ...rest }: StatusDocument): unknown {
  return {
    ...rest,
    clients: clients.map((client) => JSON.stringify(client)).toSorted(),
    gateways: gateways.map((gateway) => JSON.stringify(gateway)).toSorted(),
  };
}

const DOCUMENTS: fc.Arbitrary<StatusDocument[]> = fc.array(
  fc
    .record({ ready: fc.boolean(), problems: fc.array(NAME, { maxLength: 2 }), clients: CLIENTS, gateways: GATEWAYS })
    .map(
      // The fields that are compared alike are left out.
      (parts) => ({ ...parts, gateways: parts.gateways as unknown as GatewayStatus[] }) as unknown as StatusDocument,
    ),
  { minLength: 1, maxLength: 6 },
);

describe('live messages', () => {
  it('give a viewer every document that the sidecar had, however the stream is cut', () => {
    fc.assert(
      fc.property(DOCUMENTS, fc.integer({ min: 1, max: 40 }), (documents, size) => {
        const difference = new StatusDifference();
        const [first, ...later] = documents;
        assert.ok(first !== undefined);
        difference.take(first);
        const text = [
          formatMessage({ kind: 'snapshot', atMs: 0, document: first }),
          ...later.map((document, index) =>
            formatMessage({ kind: 'change', atMs: index + 1, ...difference.take(document) }),
          ),
        ].join('');

        const stream = new EventStream();
        let look: Look | null = null;
        const seen: Look[] = [];
        for (let at = 0; at < text.length; at += size)
          for (const message of stream.take(text.slice(at, at + size))) {
            look = afterMessage(look, message);
            if (look !== null) seen.push(look);
          }

        assert.deepEqual(
          seen.map(({ atMs, document }) => [atMs, sorted(document)]),
          documents.map((document, index) => [index, sorted(document)]),
        );
      }),
    );
  });

  it('say nothing of what stayed the same', () => {
    const difference = new StatusDifference();
    const document = { ready: true, clients: [{ cid: '0', epoch: 0 }], gateways: [{ id: 1, mac: 'a' }] };
    difference.take(document as unknown as StatusDocument);

    const change = difference.take({ ...document, gateways: [{ id: 1, mac: 'b' }] } as unknown as StatusDocument);

    assert.deepEqual(change, {
      fields: {},
      clients: { changed: [], gone: [] },
      gateways: { changed: [{ id: 1, mac: 'b' }], gone: [] },
    });
  });

  it('that come before a snapshot show nothing', () => {
    const change = { fields: {}, clients: { changed: [], gone: [] }, gateways: { changed: [], gone: [] } };

    assert.equal(afterMessage(null, { kind: 'change', atMs: 0, ...change }), null);
  });

  it('are told from a stream of another kind', () => {
    assert.throws(() => new EventStream().take('data: hello\n\n'), /no event: "data: hello"/);
  });
});
