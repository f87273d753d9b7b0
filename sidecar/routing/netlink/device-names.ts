import { loadKoffi } from 'nftables-json/netlink';
import { RoutingRefusal } from './refusal.js';

/** IF_NAMESIZE of net/if.h. */
const NAME_BYTES = 16;

/** Names and indexes of network devices, and the words of the C library for an errno. */
export interface DeviceNames {
  /** @throws RoutingRefusal if there is no such device, in the words of ip(8) */
  indexOf(name: string): number;
  /** Null for a device that is gone. */
  nameOf(index: number): string | null;
  /** `No such device` for 19. */
  describe(errno: number): string;
}

/** Loads them from the C library by koffi. Rejects if koffi cannot be loaded. */
export async function loadDeviceNames(): Promise<DeviceNames> {
  const koffi = await loadKoffi();
  const libc = koffi.load(null);
  const nameToIndex = libc.func('unsigned int if_nametoindex(const char *name)');
  const indexToName = libc.func('void *if_indextoname(unsigned int index, _Out_ uint8_t *name)');
  const strerror = libc.func('const char *strerror(int errnum)');
  return {
    indexOf(name) {
      const index: unknown = nameToIndex(name);
      if (typeof index === 'number' && index > 0) return index;
      throw new RoutingRefusal(`Cannot find device "${name}"`);
    },
    nameOf(index) {
      const name = Buffer.alloc(NAME_BYTES);
      return indexToName(index, name) === null ? null : name.toString('utf8', 0, name.indexOf(0));
    },
    describe(errno) {
      const words: unknown = strerror(errno);
      return typeof words === 'string' ? words : `errno ${errno}`;
    },
  };
}
