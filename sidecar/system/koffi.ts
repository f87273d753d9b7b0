import type * as Koffi from 'koffi';

/** What nftables-json asks koffi for: whoever loads the first library decides it for all. */
const ASYNC_STACK_BYTES = 1 << 20;

/**
 * koffi, with the stacks that libnftables needs, whichever part of this process uses it first.
 * Rejects if it cannot be loaded.
 */
export async function loadKoffi(): Promise<typeof Koffi> {
  const koffi = await import('koffi');
  if ((koffi.config().async_stack_size ?? 0) >= ASYNC_STACK_BYTES) return koffi;
  try {
    koffi.config({ async_stack_size: ASYNC_STACK_BYTES });
  } catch {
    // Another part has loaded a library before; libnftables then refuses to be loaded, and says so.
  }
  return koffi;
}
