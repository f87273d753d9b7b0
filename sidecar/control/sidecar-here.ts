import { GwmarkError } from '../errors.js';
import type { StatusDocument } from '../status.js';
import { readNetworkNamespace } from '../system/network-namespace.js';
import { fetchStatus } from './client.js';

/** What answers at a control socket, seen from the network namespace of this process. */
export type FoundSidecar =
  | { readonly where: 'here'; readonly status: StatusDocument }
  /** In another network namespace, as the kernel names it: its rules, routes and flows are not those of this one. */
  | { readonly where: 'elsewhere'; readonly networkNamespace: string }
  | { readonly where: 'nowhere' };

/**
 * Asks at a control socket, and tells whether its sidecar is the one of this network namespace. One that does not say
 * where it runs counts as here.
 *
 * @throws GwmarkError as {@link fetchStatus}, except for CONTROL_UNREACHABLE
 */
export async function findSidecar(path: string): Promise<FoundSidecar> {
  let status: StatusDocument;
  try {
    status = await fetchStatus(path);
  } catch (error) {
    if (error instanceof GwmarkError && error.code === 'CONTROL_UNREACHABLE') return { where: 'nowhere' };
    throw error;
  }
  const { networkNamespace } = status;
  const here = readNetworkNamespace();
  return here !== null && networkNamespace !== null && here !== networkNamespace
    ? { where: 'elsewhere', networkNamespace }
    : { where: 'here', status };
}

/**
 * The status of the sidecar at a control socket, for a command that reads the kernel beside it; null if nobody
 * answers.
 *
 * @throws GwmarkError CONTROL_NAMESPACE if the sidecar works in another network namespace, and as {@link
 * findSidecar}
 */
export async function statusOfSidecarHere(path: string): Promise<StatusDocument | null> {
  const found = await findSidecar(path);
  if (found.where === 'elsewhere') {
    throw new GwmarkError(
      'CONTROL_NAMESPACE',
      `${describeElsewhere(path, found.networkNamespace)}: run it where the sidecar runs`,
    );
  }
  return found.where === 'here' ? found.status : null;
}

/** In words, for messages and findings. */
export function describeElsewhere(path: string, networkNamespace: string): string {
  return `the sidecar at ${path} runs in the network namespace ${networkNamespace}, this command in ${readNetworkNamespace()}`;
}
