import { type FileHandle, open } from 'node:fs/promises';

/** The content of a file, or why it cannot be used; `code` is a name of errno(3). */
export type TextRead = { readonly text: string } | { readonly code: string; readonly reason: string };

/** Reads at most `maxBytes` of UTF-8; pipes are fine (`--config <(...)`). */
export async function readText(file: string, maxBytes: number): Promise<TextRead> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'r');
    const chunks: Buffer[] = [];
    let size = 0;
    for (;;) {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(64 * 1024));
      if (bytesRead === 0) break;
      chunks.push(buffer.subarray(0, bytesRead));
      size += bytesRead;
      if (size > maxBytes) return { code: 'EFBIG', reason: `it is larger than ${maxBytes} bytes` };
    }
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)) };
  } catch (error) {
    return describeReadError(error);
  } finally {
    await handle?.close();
  }
}

const READ_REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of its path is not a directory',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not UTF-8 text',
};

function describeReadError(error: unknown): TextRead {
  if (!(error instanceof Error)) throw error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'EIO';
  return { code, reason: READ_REASONS[code] ?? error.message };
}
