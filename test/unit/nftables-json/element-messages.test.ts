import assert from 'node:assert/strict';

import { type ElementChange, MessageWriter, rewriteBatch, writeBatch } from 'nftables-json/testing';

function change(verb: 'add' | 'delete', keys: readonly Uint8Array[]): ElementChange {
  return { verb, protocol: 1, table: 'gwmark', name: 'client4', keyBytes: keys[0]?.length === 16 ? 16 : 4, keys };
}

function bytesOf(writer: MessageWriter): string {
  return Buffer.from(writer.bytes.subarray(0, writer.length)).toString('hex');
}

describe('a batch of one element', () => {
  for (const verb of ['add', 'delete'] as const)
    for (const length of [4, 16])
      it(`that is rewritten for another one is what would have been written: ${verb}, ${length} bytes`, () => {
        const [one, other] = [Uint8Array.from({ length }, (_, index) => index), new Uint8Array(length).fill(0xab)];
        const [rewritten, written] = [new MessageWriter(), new MessageWriter()];

        writeBatch(rewritten, 7, [change(verb, [one])], 0x01020304);
        rewriteBatch(rewritten, 0xfffffff0, other, 0xfffffffe);
        writeBatch(written, 0xfffffff0, [change(verb, [other])], 0xfffffffe);

        assert.equal(bytesOf(rewritten), bytesOf(written));
      });
});
