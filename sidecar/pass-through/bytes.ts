/** Bytes as a string, one character (U+0000..U+00FF) a byte: what is passed on is never decoded. */
export type ByteString = string;

/** The bytes of a {@link ByteString}. */
export function toBytes(text: ByteString): Buffer {
  return Buffer.from(text, 'latin1');
}
