import assert from 'node:assert/strict';
import { Decoder, Environment, Secret, type DecoderOptions, type Message } from 'openvpn-management-client';

/** Decodes a whole stream given as characters U+0000..U+00FF, in one piece. */
export function decode(bytes: string, options?: DecoderOptions): readonly Message[] {
  return new Decoder(options).push(Buffer.from(bytes, 'latin1'));
}

/** Decodes a whole stream in pieces of `size` bytes. */
export function decodeInPieces(bytes: Buffer, size: number, options?: DecoderOptions): Message[] {
  const decoder = new Decoder(options);
  const messages: Message[] = [];
  for (let at = 0; at < bytes.length; at += size) messages.push(...decoder.push(bytes.subarray(at, at + size)));
  return messages;
}

/** True if two streams gave the same messages, secrets included. */
export function isSame(some: readonly Message[], others: readonly Message[]): boolean {
  return some.length === others.length && some.every((message, index) => isSameValue(message, others[index]));
}

/** Fails with the first message that differs, or passes. */
export function assertSame(actual: readonly Message[], expected: readonly Message[], where: string): void {
  if (isSame(actual, expected)) return;
  const index = expected.findIndex((message, at) => !isSameValue(message, actual[at]));
  assert.deepEqual(actual[index], expected[index], `${where}: message ${index}`);
  assert.fail(`${where}: message ${index} of ${expected.length} differs, ${actual.length} came`);
}

/** Compares without building texts: this runs some hundred million times. */
function isSameValue(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (one instanceof Environment) return other instanceof Environment && one.size === other.size && one.equals(other);
  if (one instanceof Secret) return other instanceof Secret && one.reveal() === other.reveal();
  if (!isRecord(one) || !isRecord(other)) return false;
  for (const name in one) if (!isSameValue(one[name], other[name])) return false;
  for (const name in other) if (!(name in one)) return false;
  return true;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
