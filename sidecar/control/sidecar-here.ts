import { GwmarkError } from '../errors.js';
import type { StatusDocument } from '../status.js';
import { readNetworkNamespace } from '../system/network-namespace.js';
import { fetchStatus } from './client.js';

/**
 * The status of the sidecar at a control socket, for a command that reads the kernel beside it; null where nobody
 * answers.
 *
 * @throws GwmarkError CONTROL_NAMESPACE where the sidecar works in another network namespace, and as {@link
 * fetchStatus}
 */
export async function statusOfSidecarHere(path: string): Promise<StatusDocument | null> {
  const status = await fetchStatus(path).catch((error: unknown) => {
    if (error instanceof GwmarkError && error.code === 'CONTROL_UNREACHABLE') return null;
    throw error;
  });
  const [here, there] = [readNetworkNamespace(), status?.networkNamespace ?? null];
  if (here !== null && there !== null && here !== there) {
    throw new GwmarkError(
      'CONTROL_NAMESPACE',
      `the sidecar at ${path} works in the network namespace ${there}, and this command runs in ${here}: run it where the sidecar runs`,
    );
  }
  return status;
}
