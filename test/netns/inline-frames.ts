import type { Frame } from '../lab/frame.js';

/**
 * Whether a frame of TCP over IP without options answers another: only the first of a client does not (RFC 9293,
 * section 3.1).
 */
export function acknowledges({ bytes, ip }: Frame): boolean {
  return (bytes.readUInt8(14 + (ip?.version === 6 ? 40 : 20) + 13) & 0x10) !== 0;
}

/**
 * The frames from one MAC to another as text, sorted: two processors of a guest may pass two frames of a flow at once,
 * and captures of two devices then differ in their order.
 */
export function bytesOf(
  frames: readonly Frame[],
  from: string | undefined,
  to: string | undefined,
): readonly string[] {
  return frames
    .filter(({ sourceMac, destinationMac }) => sourceMac === from && destinationMac === to)
    .map(({ bytes }) => bytes.toString('hex'))
    .toSorted();
}
