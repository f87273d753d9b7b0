import { createConnection } from 'node:net';
import { once } from 'node:events';
import { FakeManagementServer } from 'openvpn-management-client/testing';
import { clientAddress } from './network.js';

/** Clients whose events go out in one write. */
const BATCH_CLIENTS = 50;

const CLIENT_HEADER =
  'HEADER\tCLIENT_LIST\tCommon Name\tReal Address\tVirtual Address\tVirtual IPv6 Address\tBytes Received\tBytes Sent\tConnected Since\tConnected Since (time_t)\tUsername\tClient ID\tPeer ID\tData Channel Cipher';
const ROUTE_HEADER = 'HEADER\tROUTING_TABLE\tVirtual Address\tCommon Name\tReal Address\tLast Ref\tLast Ref (time_t)';

/**
 * A storm of clients of which every byte is there before it begins: composing 40 MB of events takes the fake server
 * about as long as a good sidecar takes to read them, and would be measured in its place.
 *
 * `status 3` is answered from prepared rows too, with the clients whose events went out before: a snapshot tells
 * nothing early.
 */
export class PreparedStorm {
  readonly #batches: readonly string[];
  readonly #clients: number;

  private constructor(batches: readonly string[], clients: number) {
    this.#batches = batches;
    this.#clients = clients;
  }

  /** Records what a fake server says of so many clients, each with the one address that its number gives. */
  static async record(clients: number): Promise<PreparedStorm> {
    const chunks: Buffer[] = [];
    {
      await using server = await FakeManagementServer.listen();
      const reader = createConnection(server.endpoint.slice('unix:'.length));
      reader.on('data', (chunk) => chunks.push(chunk));
      await once(reader, 'data');
      await server.storm(clients, (number) => ({ addresses: [clientAddress(number)] }));
      const ended = once(reader, 'end');
      await server.hangUp();
      await ended;
      reader.destroy();
    }
    return new PreparedStorm(cutIntoBatches(Buffer.concat(chunks), clients), clients);
  }

  /**
   * Writes everything, as fast as it is read. Resolves when the kernel has the last byte.
   *
   * @param options.isBusy clients send all the time: of each more bytes are counted in each `status`
   */
  async play(server: FakeManagementServer, { isBusy = false } = {}): Promise<void> {
    let { rows, routes } = statusRows(this.#clients, 0);
    let sent = 0;
    let asked = 0;
    server.on('status', () => {
      asked += 1;
      if (isBusy) ({ rows, routes } = statusRows(this.#clients, asked));
      return [
        'TITLE\tOpenVPN 2.6.14 x86_64-pc-linux-gnu',
        'TIME\t2026-01-01 00:00:00\t1767225600',
        CLIENT_HEADER,
        ...rows.slice(0, sent),
        ROUTE_HEADER,
        ...routes.slice(0, sent),
        'GLOBAL_STATS\tMax bcast/mcast queue length\t0',
        'END',
      ];
    });
    for (const batch of this.#batches) {
      sent = Math.min(this.#clients, sent + BATCH_CLIENTS);
      await server.send(batch);
    }
  }
}

/** Cut where the CONNECT of each fiftieth client begins. */
function cutIntoBatches(stream: Buffer, clients: number): string[] {
  const batches: string[] = [];
  let from = stream.indexOf('>CLIENT:CONNECT,0,');
  for (let cid = BATCH_CLIENTS; from < stream.length; cid += BATCH_CLIENTS) {
    const found = cid < clients ? stream.indexOf(`>CLIENT:CONNECT,${cid},`, from) : -1;
    const to = found === -1 ? stream.length : found;
    batches.push(stream.toString('latin1', from, to));
    from = to;
  }
  return batches;
}

/** Rows of OpenVPN 2.6.14, with the names that the fake server gives. */
function statusRows(clients: number, asked: number): { rows: string[]; routes: string[] } {
  const rows: string[] = [];
  const routes: string[] = [];
  const since = '2026-01-01 00:00:00\t1767225600';
  for (let cid = 0; cid < clients; cid += 1) {
    const realAddress = `192.0.2.${10 + (cid % 240)}:${1024 + (cid % 60000)}`;
    rows.push(
      `CLIENT_LIST\tclient-${cid}\t${realAddress}\t${clientAddress(cid)}\t\t${3160 + asked * (1000 + cid)}\t${3196 + asked * 800}\t${since}\tUNDEF\t${cid}\t${cid}\tAES-256-GCM`,
    );
    routes.push(`ROUTING_TABLE\t${clientAddress(cid)}\tclient-${cid}\t${realAddress}\t${since}`);
  }
  return { rows, routes };
}
