import type * as Koffi from 'koffi';
import { NftError, reasonOf } from './nft-error.js';

/**
 * koffi runs asynchronous calls on stacks of its own, 128 KiB by default. libnftables keeps netlink buffers
 * of more than 64 KiB on the stack (mnl.c, NFT_NLMSG_MAXSIZE) and its parsers recurse: 64 KiB end in a segmentation
 * fault, 128 KiB leave little.
 */
const ASYNC_STACK_BYTES = 1 << 20;

/**
 * koffi, with the stacks that libnftables needs. koffi takes no setting once it has loaded any library, so every part of
 * a process that also uses libnftables gets it here.
 *
 * @throws NftError UNAVAILABLE if it cannot be loaded
 */
export async function loadKoffi(): Promise<typeof Koffi> {
  const koffi = await import('koffi').catch((cause: unknown) => {
    throw new NftError('UNAVAILABLE', `koffi cannot be loaded: ${reasonOf(cause)}`, { cause });
  });
  if (hasLargeStacks(koffi)) return koffi;
  try {
    koffi.config({ async_stack_size: ASYNC_STACK_BYTES });
  } catch {
    // Another user of koffi in this process was first: libnftables then refuses to be loaded, and says so.
  }
  return koffi;
}

/** @throws NftError UNAVAILABLE if another user of koffi in this process runs it with small stacks */
export function requireLargeStacks(koffi: typeof Koffi): void {
  if (hasLargeStacks(koffi)) return;
  throw new NftError(
    'UNAVAILABLE',
    `koffi has loaded a library before, with stacks smaller than ${ASYNC_STACK_BYTES} bytes`,
  );
}

function hasLargeStacks(koffi: typeof Koffi): boolean {
  return (koffi.config().async_stack_size ?? 0) >= ASYNC_STACK_BYTES;
}
