/** Bits of capabilities. @see capabilities(7), linux/capability.h */
const CAPABILITIES = { CAP_NET_ADMIN: 12n, CAP_NET_RAW: 13n } as const;

/** Tells from the text of /proc/self/status whether a capability is effective; undefined if it does not say. */
export function hasCapability(procStatus: string, name: keyof typeof CAPABILITIES): boolean | undefined {
  const effective = /^CapEff:\s*([0-9a-f]{1,16})$/m.exec(procStatus)?.[1];
  return effective === undefined ? undefined : ((BigInt(`0x${effective}`) >> CAPABILITIES[name]) & 1n) === 1n;
}
