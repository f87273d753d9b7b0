/**
 * The border to libnftables.so.1: every call into the library is here and nowhere else.
 *
 * @see libnftables(3)
 */
import { loadKoffi, requireLargeStacks } from './koffi.js';
import { NftError, reasonOf } from './nft-error.js';

/** `NFT_CTX_OUTPUT_*` of nftables/libnftables.h. */
const OUTPUT_JSON = 1 << 4;
const OUTPUT_TERSE = 1 << 11;
/** `NFT_CTX_INPUT_NO_DNS`, since nftables 1.0.9. */
const INPUT_NO_DNS = 1 << 0;

/** One `struct nft_ctx`. Not to be used by two calls at a time. */
export interface NftContext {
  setMode(mode: { readonly check: boolean; readonly terse: boolean }): void;
  /** Runs JSON commands on a thread of koffi's pool; resolves with the return value, zero on success. */
  run(input: string): Promise<number>;
  /** What the last run printed. Must be called after each run: it also empties the buffers. */
  take(): { readonly output: string; readonly errors: string };
  free(): void;
}

/**
 * Loads the library and opens a context. Its netlink socket belongs to the network namespace of the calling thread.
 *
 * @throws NftError UNAVAILABLE if koffi, the library or one of its symbols is missing.
 */
export async function openNftContext(libraryPath: string): Promise<NftContext> {
  const bindings = await loadBindings(libraryPath);
  // An opaque pointer; koffi has no type for it.
  const context: unknown = bindings.ctxNew(0);
  if (context === null) {
    throw new NftError('UNAVAILABLE', 'nft_ctx_new failed: no memory or no netlink socket');
  }
  if (bindings.bufferOutput(context) !== 0 || bindings.bufferError(context) !== 0) {
    bindings.ctxFree(context);
    throw new NftError('UNAVAILABLE', 'libnftables cannot buffer its output');
  }
  bindings.inputSetFlags?.(context, INPUT_NO_DNS);

  // Keeps the input alive while the thread reads it.
  let inFlight: Buffer | undefined;

  return {
    setMode({ check, terse }) {
      bindings.setDryRun(context, check);
      bindings.outputSetFlags(context, OUTPUT_JSON | (terse ? OUTPUT_TERSE : 0));
    },
    run(input) {
      inFlight = Buffer.from(`${input}\0`, 'utf8');
      return new Promise((resolve, reject) => {
        bindings.runFromBuffer.async(context, inFlight, (error: Error | null, status: number) => {
          inFlight = undefined;
          if (error) {
            reject(new NftError('UNAVAILABLE', `call into libnftables failed: ${error.message}`, { cause: error }));
          } else {
            resolve(status);
          }
        });
      });
    },
    take() {
      const output: unknown = bindings.getOutput(context);
      const errors: unknown = bindings.getError(context);
      return { output: typeof output === 'string' ? output : '', errors: typeof errors === 'string' ? errors : '' };
    },
    free() {
      bindings.ctxFree(context);
    },
  };
}

/** koffi's wrapper of a C function; it has no narrower type. */
interface NativeFunction {
  (...args: readonly unknown[]): unknown;
  async(...args: readonly unknown[]): unknown;
}

interface Bindings {
  readonly ctxNew: NativeFunction;
  readonly ctxFree: NativeFunction;
  readonly bufferOutput: NativeFunction;
  readonly bufferError: NativeFunction;
  readonly getOutput: NativeFunction;
  readonly getError: NativeFunction;
  readonly outputSetFlags: NativeFunction;
  readonly inputSetFlags: NativeFunction | undefined;
  readonly setDryRun: NativeFunction;
  readonly runFromBuffer: NativeFunction;
}

async function loadBindings(libraryPath: string): Promise<Bindings> {
  const koffi = await loadKoffi();
  requireLargeStacks(koffi);
  try {
    const library = koffi.load(libraryPath);
    return {
      ctxNew: library.func('void *nft_ctx_new(uint32_t flags)'),
      ctxFree: library.func('void nft_ctx_free(void *ctx)'),
      bufferOutput: library.func('int nft_ctx_buffer_output(void *ctx)'),
      bufferError: library.func('int nft_ctx_buffer_error(void *ctx)'),
      getOutput: library.func('const char *nft_ctx_get_output_buffer(void *ctx)'),
      getError: library.func('const char *nft_ctx_get_error_buffer(void *ctx)'),
      outputSetFlags: library.func('void nft_ctx_output_set_flags(void *ctx, unsigned int flags)'),
      inputSetFlags: optional(() =>
        library.func('unsigned int nft_ctx_input_set_flags(void *ctx, unsigned int flags)'),
      ),
      setDryRun: library.func('void nft_ctx_set_dry_run(void *ctx, bool dry)'),
      runFromBuffer: library.func('int nft_run_cmd_from_buffer(void *nft, const uint8_t *buf)'),
    };
  } catch (cause) {
    throw new NftError('UNAVAILABLE', `${libraryPath} cannot be loaded: ${reasonOf(cause)}`, { cause });
  }
}

function optional<T>(resolve: () => T): T | undefined {
  try {
    return resolve();
  } catch {
    return undefined;
  }
}
