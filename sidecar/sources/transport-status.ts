import type { Transport } from '../../rules/index.js';
import type { TransportStatus } from '../status.js';

/** A socket as the status document has it. */
export function toTransportStatus({ protocol, address, families, port }: Transport): TransportStatus {
  return { protocol, address: address ?? (families.includes(6) ? '::' : '0.0.0.0'), port };
}
