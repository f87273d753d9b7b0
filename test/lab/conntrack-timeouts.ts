import type { Namespace } from './namespace.js';

/**
 * Entries that tests look at with programs that a busy machine takes seconds to start: an answered ICMP echo, which the
 * kernel forgets after 30 s, and a TCP connection that a late segment closed by a RST, after 10 s
 * (nf_conntrack-sysctl.rst).
 */
const PATIENT = ['icmp_timeout', 'icmpv6_timeout', 'tcp_timeout_close', 'tcp_timeout_last_ack'].map(
  (name) => `net.netfilter.nf_conntrack_${name}=600`,
);

/** Makes connection tracking of an endpoint remember for ten minutes what would be gone within seconds. */
export async function rememberConnections(endpoint: Namespace): Promise<void> {
  // The settings are there once the module is; where it is part of the kernel this changes nothing.
  await endpoint.tryRun(['modprobe', 'nf_conntrack']);
  await endpoint.sysctl(...PATIENT);
}
