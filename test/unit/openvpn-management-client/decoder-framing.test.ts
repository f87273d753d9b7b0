import assert from 'node:assert/strict';
import { Decoder, isManagementError, type Message } from 'openvpn-management-client';
import { decode, decodeInPieces, isSame } from './decode.js';

const overflow = (error: unknown): boolean => isManagementError(error, 'MGMT_OVERFLOW');

/** CPU time of decoding `bytes` one by one, microseconds. */
function cpuOfSingleBytes(bytes: Buffer): number {
  const decoder = new Decoder({ maxLineBytes: 1048576 });
  const start = process.cpuUsage().user;
  for (let at = 0; at < bytes.length; at += 1) decoder.push(bytes.subarray(at, at + 1));
  return process.cpuUsage().user - start;
}

describe('Decoder framing', () => {
  it('ends lines at CRLF and leaves a bare LF inside of one', () => {
    assert.deepEqual(decode('>LOG:1,I,first\nsecond\r\nEND\r\n'), [
      { kind: 'log', timeSeconds: 1, flags: 'I', text: 'first\nsecond' },
      { kind: 'end' },
    ]);
  });

  it('joins CR and LF that come in different pieces', () => {
    const decoder = new Decoder();

    assert.deepEqual(decoder.push(Buffer.from('END\r')), []);
    assert.deepEqual(decoder.push(Buffer.from('\n')), [{ kind: 'end' }]);
  });

  it('keeps a CR that no LF follows', () => {
    assert.deepEqual(decodeInPieces(Buffer.from('a\rb\r\r\n'), 1), [{ kind: 'line', text: 'a\rb\r' }]);
  });

  it('joins a UTF-8 character that comes in different pieces', () => {
    const bytes = Buffer.from('>INFOMSG:Zoë \u{1f511}\r\n');

    for (let at = 0; at <= bytes.length; at += 1) {
      const decoder = new Decoder();
      assert.deepEqual(
        [...decoder.push(bytes.subarray(0, at)), ...decoder.push(bytes.subarray(at))],
        [{ kind: 'infomsg', text: 'Zoë \u{1f511}' }],
      );
    }
  });

  it('passes 1025 and 10239 byte lines, and two that a lost CRLF glued', () => {
    for (const length of [1025, 10239, 20480]) {
      assert.deepEqual(decode(`${'x'.repeat(length)}\r\n`), [{ kind: 'line', text: 'x'.repeat(length) }]);
    }
  });

  it('takes the prompt without a line end, alone, in halves, and with what follows', () => {
    const prompt: Message = { kind: 'password-prompt' };

    assert.deepEqual(decode('ENTER PASSWORD:'), [prompt]);
    assert.deepEqual(decode('ENTER PASSWORD:ENTER PASSWORD:SUCCESS: password is correct\r\n'), [
      prompt,
      prompt,
      { kind: 'success', text: 'password is correct' },
    ]);
    const decoder = new Decoder();
    assert.deepEqual(decoder.push(Buffer.from('ENTER PASS')), []);
    assert.deepEqual(decoder.push(Buffer.from('WORD:')), [prompt]);
  });

  it('takes a row that begins like the prompt for a row, once the banner came', () => {
    assert.deepEqual(
      decode('>INFO:hello\r\nENTER PASSWORD:,192.0.2.1:5,1,2,now\r\n').map(({ kind }) => kind),
      ['info', 'line'],
    );
  });

  it('takes the banner and HOLD out of one piece', () => {
    assert.deepEqual(
      decode(
        ">INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info\r\n>HOLD:Waiting for hold release:10\r\n",
      ),
      [
        {
          kind: 'info',
          text: "OpenVPN Management Interface Version 5 -- type 'help' for more info",
          managementVersion: 5,
        },
        { kind: 'hold', text: 'Waiting for hold release', waitSeconds: 10 },
      ],
    );
  });

  it('refuses a line of 1 MB without holding more than its limit, and stays refusing', () => {
    const decoder = new Decoder({ maxLineBytes: 4096 });
    let pushed = 0;

    assert.throws(() => {
      for (; pushed < 256; pushed += 1) decoder.push(Buffer.alloc(4096, 'x'));
    }, overflow);

    assert.equal(pushed, 1);
    assert.throws(() => decoder.push(Buffer.from('END\r\n')), overflow);
  });

  it('accepts a line of exactly the limit and refuses one byte more, however it is cut', () => {
    for (const size of [1, 7, 5000]) {
      assert.equal(decodeInPieces(Buffer.from(`${'x'.repeat(1024)}\r\n`), size, { maxLineBytes: 1024 }).length, 1);
      assert.throws(
        () => decodeInPieces(Buffer.from(`${'x'.repeat(1025)}\r\n`), size, { maxLineBytes: 1024 }),
        overflow,
      );
    }
  });

  it('gives what was complete before an overflow in the same piece', () => {
    const decoder = new Decoder({ maxLineBytes: 1024 });

    assert.deepEqual(decoder.push(Buffer.from(`END\r\n${'x'.repeat(2000)}`)), [{ kind: 'end' }]);
    assert.equal(decoder.failure?.code, 'MGMT_OVERFLOW');
  });

  it('refuses an environment block with too many variables, or too many bytes', () => {
    const variables = '>CLIENT:ENV,a=b\r\n'.repeat(65);
    const bytes = `>CLIENT:ENV,a=${'b'.repeat(1000)}\r\n`.repeat(5);

    assert.throws(() => decode(`>CLIENT:CONNECT,0,1\r\n${variables}`, { maxEnvVariables: 64 }), overflow);
    assert.throws(() => decode(`>CLIENT:CONNECT,0,1\r\n${bytes}`, { maxEnvBytes: 4096 }), overflow);
  });

  it('refuses limits out of their ranges', () => {
    assert.throws(() => new Decoder({ maxLineBytes: 10 }), /maxLineBytes: 10 is not in 1024\.\.1048576/);
  });

  it('reads single bytes in linear time', () => {
    cpuOfSingleBytes(Buffer.alloc(50_000, 'x'));

    const short = Math.max(1000, cpuOfSingleBytes(Buffer.alloc(50_000, 'x')));
    const long = cpuOfSingleBytes(Buffer.alloc(800_000, 'x'));

    // 16 times the bytes: quadratic time would be 256 times as long.
    assert.ok(long < short * 100, `${short} us for 50 kB, ${long} us for 800 kB`);
  });

  it('does not keep the memory of a chunk', () => {
    const decoder = new Decoder();
    const chunk = Buffer.from(
      '>CLIENT:ESTABLISHED,0\r\n>CLIENT:ENV,common_name=alice\r\n>CLIENT:ENV,END\r\n>LOG:1,I,a text that is longer than twelve\r\n',
    );
    const expected = new Decoder().push(Buffer.from(chunk));

    const messages = decoder.push(chunk);
    chunk.fill('x');

    assert.ok(isSame(messages, expected));
  });

  it('decodes a Uint8Array that is a window of a larger buffer', () => {
    const whole = new Uint8Array(Buffer.from('xxEND\r\nxx'));

    assert.deepEqual(new Decoder().push(whole.subarray(2, 7)), [{ kind: 'end' }]);
  });
});
