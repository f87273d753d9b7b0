import assert from 'node:assert/strict';
import { Decoder } from 'openvpn-management-client';
import { IS_EXHAUSTIVE } from '../../lab/sample.js';
import { loadTranscript, transcriptNames } from '../../transcripts/load.js';
import { assertSame, decodeInPieces } from './decode.js';

/** Far from a line end one byte is like the next; a prime, so that samples fall on every column. */
const SAMPLE_EVERY = 31;
/** How far from a line end every split point is tried, bytes. */
const NEAR = 2;
const LINE_FEED = 0x0a;

/** Where a recording is cut in two: every place near a line end and inside a character of several bytes, samples elsewhere. */
function splitPoints(bytes: Uint8Array): readonly number[] {
  const isNearLineEnd = (at: number): boolean =>
    bytes.subarray(Math.max(0, at - NEAR - 1), at + NEAR).includes(LINE_FEED);
  return Array.from({ length: bytes.length + 1 }, (_, at) => at).filter(
    (at) =>
      IS_EXHAUSTIVE || at % SAMPLE_EVERY === 0 || at === bytes.length || (bytes[at] ?? 0) >= 0x80 || isNearLineEnd(at),
  );
}

describe('Decoder on recorded transcripts', () => {
  it('finds the recordings', () => {
    assert.ok(transcriptNames().length >= 12);
  });

  for (const name of transcriptNames()) {
    it(`gives the same messages at ${IS_EXHAUSTIVE ? 'every split point' : 'split points near line ends, inside characters and at samples'} of ${name}`, function test() {
      this.timeout(300_000);
      const bytes = loadTranscript(name).received;
      const whole = new Decoder().push(bytes);

      for (const at of splitPoints(bytes)) {
        const decoder = new Decoder();
        const messages = [...decoder.push(bytes.subarray(0, at)), ...decoder.push(bytes.subarray(at))];
        assertSame(messages, whole, `${name} split at byte ${at}`);
      }
    });

    it(`gives the same messages for ${name} in pieces of 1 to 64 bytes`, () => {
      const bytes = loadTranscript(name).received;
      const whole = new Decoder().push(bytes);

      for (let size = 1; size <= 64; size += 1)
        assertSame(decodeInPieces(bytes, size), whole, `${name} in pieces of ${size}`);
    });

    it(`knows every message of ${name}, to its last byte`, () => {
      const decoder = new Decoder();

      const messages = decoder.push(loadTranscript(name).received);

      assert.deepEqual(
        messages.filter(({ kind }) => kind === 'unknown'),
        [],
      );
      assert.equal(decoder.isMidMessage, false);
    });
  }

  it('has the login before the addresses before ESTABLISHED before DISCONNECT', () => {
    const kinds = new Decoder().push(loadTranscript('client-auth').received).map(({ kind }) => kind);

    assert.deepEqual(
      kinds.filter((kind) => kind.startsWith('client:') && kind !== 'client:bytecount'),
      [
        'client:connect',
        'client:address',
        'client:address',
        'client:address',
        'client:address',
        'client:address',
        'client:established',
        'client:reauth',
        'client:disconnect',
      ],
    );
  });

  it('has nothing but ESTABLISHED without management-client-auth', () => {
    const kinds = new Decoder().push(loadTranscript('without-client-auth').received).map(({ kind }) => kind);

    assert.deepEqual(
      kinds.filter((kind) => kind.startsWith('client:')),
      ['client:established'],
    );
  });

  it('has the DISCONNECT of a client that client-config-dir disables before its ESTABLISHED', () => {
    const events = new Decoder()
      .push(loadTranscript('reject').received)
      .flatMap((message) =>
        message.kind === 'client:disconnect' || message.kind === 'client:established'
          ? [`${message.kind} ${message.cid}`]
          : [],
      );

    assert.ok(events.includes('client:established 2'));
    assert.ok(events.indexOf('client:disconnect 2') < events.indexOf('client:established 2'));
  });

  it('has the same CID twice across a restart inside, with RECONNECTING between', () => {
    const marks = new Decoder().push(loadTranscript('sigusr1').received).flatMap((message) => {
      if (message.kind === 'client:connect') return [`connect ${message.cid}`];
      if (message.kind === 'client:disconnect') return [`disconnect ${message.cid}`];
      return message.kind === 'state' ? [message.name] : [];
    });

    assert.deepEqual(marks, [
      'connect 0',
      'disconnect 0',
      'RECONNECTING',
      'CONNECTED',
      'connect 0',
      'disconnect 0',
      'EXITING',
    ]);
  });

  it('keeps values that look like the protocol, and UTF-8, as they are', () => {
    const connect = new Decoder()
      .push(loadTranscript('odd-text').received)
      .find((message) => message.kind === 'client:connect');

    assert.ok(connect?.kind === 'client:connect');
    assert.equal(connect.env.get('UV_END'), 'END');
    assert.equal(connect.env.get('UV_WIRE'), '>CLIENT:ENV,END');
    assert.equal(connect.env.get('UV_EMPTY'), '');
    assert.equal(connect.env.get('username'), 'Zoë, "quoted"=END \u{1f511}');
    assert.equal(connect.env.secret('password')?.reveal(), 'END');
  });
});
