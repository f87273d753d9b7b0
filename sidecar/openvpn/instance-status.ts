import { toTransportStatus } from '../sources/transport-status.js';
import type { ClientStatus, ServerStatus } from '../status.js';
import type { Instance } from './instance.js';

/** What the status document has of one OpenVPN: its entry in `servers`, and those of its clients. */
export function statusOf(instance: Instance): {
  readonly server: ServerStatus;
  readonly clients: readonly ClientStatus[];
} {
  const { place } = instance;
  const { remote, networks, clients } = instance.roleStatus();
  return {
    server: {
      management: instance.name,
      state: instance.state,
      device: place.tunnel?.device ?? null,
      transport: place.transports.filter((transport) => transport.remote === undefined).map(toTransportStatus),
      role: instance.role,
      epoch: instance.epoch,
      transportSource: place.sources.transport,
      deviceSource: place.sources.device,
      remote,
      networks,
      reconnects: instance.reconnects,
      resyncs: instance.resyncs,
      kicks: instance.clients?.kicks.count ?? 0,
      question: instance.question,
      ...(instance.passThrough.length === 0 ? {} : { passThrough: instance.passThrough }),
    },
    clients,
  };
}
