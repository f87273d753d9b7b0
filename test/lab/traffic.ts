import { fileURLToPath } from 'node:url';

import type { Namespace } from './namespace.js';
import { PeerAgent } from './peer-agent.js';
import type { PeerOptions } from './peers/options.js';
import type { LabProcess } from './process.js';
import { eventually, patient, slowed } from './wait.js';

/** One party of an exchange: where it is and the address that it is known by. */
export interface Party {
  readonly namespace: Namespace;
  readonly address: string;
}

/** What `ping` counted. */
export interface PingResult {
  readonly transmitted: number;
  readonly received: number;
  /** The whole output of each, with errors that routers reported. */
  readonly output: string;
}

/** Bounds and shape of a ping. */
export interface PingOptions {
  /** Default 3. */
  readonly count?: number;
  /**
   * How long to wait for each answer, seconds; for an answer that is not to come. Default as long as a busy machine
   * needs.
   */
  readonly waitSeconds?: number;
  /** Payload bytes. Default 56. */
  readonly size?: number;
  /** Never fragment (`-M do`). */
  readonly dontFragment?: boolean;
  /** TTL or hop limit of the requests. */
  readonly ttl?: number;
}

/**
 * Sends echo requests, each after the answer of the one before or its timeout, and counts the answers.
 * Each is a `ping -c 1`: with more, ping waits for the last answer no longer than twice the time of the slowest so far
 * (ping(8), option -W), which on a busy machine counts answers as lost that were not.
 */
export async function ping(from: Party, to: Pick<Party, 'address'>, options: PingOptions = {}): Promise<PingResult> {
  const transmitted = options.count ?? 3;
  const argv = [
    'ping',
    '-n',
    '-c',
    '1',
    '-W',
    String(options.waitSeconds === undefined ? patient(2) : slowed(options.waitSeconds)),
    '-I',
    from.address,
    ...(options.size === undefined ? [] : ['-s', String(options.size)]),
    ...(options.dontFragment ? ['-M', 'do'] : []),
    ...(options.ttl === undefined ? [] : ['-t', String(options.ttl)]),
    to.address,
  ];
  let received = 0;
  let output = '';
  for (let sent = 0; sent < transmitted; sent += 1) {
    const { stdout, stderr } = await from.namespace.tryRun(argv);
    if (/ 1 received/.test(stdout)) received += 1;
    output += stdout + stderr;
  }
  return { transmitted, received, output };
}

/**
 * Lets a machine talk to an address: resolves with the first answer to an echo request. One that a busy machine loses
 * is sent again.
 */
export async function reach(from: Namespace, address: string, source?: string): Promise<void> {
  const argv = ['ping', '-n', '-c', '1', '-W', '2', ...(source === undefined ? [] : ['-I', source]), address];
  await eventually(async () => (await from.tryRun(argv)).stdout.includes(' 1 received'), {
    what: `an answer of ${address} to ${from.role}`,
  });
}

/** Outcome of a verified exchange. */
export type ExchangeResult =
  | { readonly ok: true; readonly bytes: number; readonly elapsedMs: number }
  | { readonly ok: false; readonly reason: string };

/** Shape of an exchange. */
export interface ExchangeOptions {
  /** TCP: bytes each way, default 100000. UDP: bytes of each datagram, default 1000. */
  readonly bytes?: number;
  /** UDP: datagrams. Default 10. */
  readonly count?: number;
  /** For an answer that is not to come. Default as long as a busy machine needs. */
  readonly timeoutMs?: number;
  /** The server's port. Default 7777. */
  readonly port?: number;
}

/**
 * One exchange that `client` opens to an echo server at `server`; every byte (SHA-256) and datagram must come back.
 * An exchange that fails is a value, not an exception; a server that cannot start is an exception.
 */
export async function exchange(
  protocol: 'tcp' | 'udp',
  client: Party,
  server: Party,
  options: ExchangeOptions = {},
): Promise<ExchangeResult> {
  await using echo = await EchoServer.start(protocol, server, options.port);
  const { error, bytes, elapsedMs } = await PeerAgent.of(client.namespace).exchange({
    protocol,
    address: server.address,
    port: echo.port,
    source: client.address,
    bytes: options.bytes ?? (protocol === 'tcp' ? 100_000 : 1000),
    count: options.count ?? 10,
    timeoutMs: options.timeoutMs === undefined ? patient(5_000) : slowed(options.timeoutMs),
  });
  return error === undefined
    ? { ok: true, bytes: bytes ?? 0, elapsedMs: elapsedMs ?? 0 }
    : { ok: false, reason: error };
}

/** A server that sends back what it receives. Disposal stops it. */
export class EchoServer implements AsyncDisposable {
  readonly port: number;
  readonly #agent: PeerAgent;
  readonly #number: number;

  private constructor(agent: PeerAgent, number: number, port: number) {
    this.#agent = agent;
    this.#number = number;
    this.port = port;
  }

  /** Resolves once it listens on `party.address`. Default port 7777. */
  static async start(protocol: 'tcp' | 'udp', party: Party, port = 7777): Promise<EchoServer> {
    const agent = PeerAgent.of(party.namespace);
    return new EchoServer(agent, await agent.listen({ protocol, address: party.address, port }), port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.close(this.#number);
  }
}

/** Counts of a long-lived flow, from its client's side. */
export interface FlowSummary {
  readonly sent: number;
  readonly received: number;
  /** Records without an answer. While the flow runs, those on their way count too. */
  readonly lost: number;
  /** Answers that came after a later one. */
  readonly disordered: number;
  /** The longest time between two answers, milliseconds. */
  readonly maxGapMs: number;
}

/** A long-lived flow of numbered 64-byte records that an echo server sends back. Disposal ends it. */
export class Flow implements AsyncDisposable {
  readonly #server: EchoServer | null;
  readonly #process: LabProcess;

  private constructor(server: EchoServer | null, process: LabProcess) {
    this.#server = server;
    this.#process = process;
  }

  /**
   * Starts the flow and resolves when its first record came back.
   *
   * @param intervalMs pause between two records, default 10
   */
  static async start(
    protocol: 'tcp' | 'udp',
    client: Party,
    server: Party,
    options: { readonly intervalMs?: number; readonly port?: number } = {},
  ): Promise<Flow> {
    const echo = await EchoServer.start(protocol, server, options.port ?? 7788);
    return await Flow.#begin(echo, protocol, client, server.address, echo.port, options.intervalMs);
  }

  /** The same to an echo server that the caller started, by whatever address and port lead there. */
  static async toPort(protocol: 'tcp' | 'udp', client: Party, address: string, port: number): Promise<Flow> {
    return await Flow.#begin(null, protocol, client, address, port);
  }

  static async #begin(
    echo: EchoServer | null,
    protocol: 'tcp' | 'udp',
    client: Party,
    address: string,
    port: number,
    intervalMs = 10,
  ): Promise<Flow> {
    const peer: PeerOptions = {
      protocol,
      address,
      port,
      source: client.address,
      intervalMs,
      timeoutMs: patient(3_000),
    };
    const flow = new Flow(
      echo,
      client.namespace.spawn(
        [process.execPath, fileURLToPath(new URL('./peers/flow.js', import.meta.url)), JSON.stringify(peer)],
        {
          name: `${protocol} flow from ${client.namespace.role} to ${address} port ${port}`,
          stdin: 'pipe',
        },
      ),
    );
    await flow.#process.waitFor(/^flowing$/);
    return flow;
  }

  /** The counts so far; the flow goes on. */
  async report(): Promise<FlowSummary> {
    return await this.#ask('report');
  }

  /** Resolves once `count` more records came back than now. */
  async advance(count: number, timeoutMs = 15_000): Promise<FlowSummary> {
    const goal = (await this.report()).received + count;
    const deadline = Date.now() + patient(timeoutMs);
    for (;;) {
      const now = await this.report();
      if (now.received >= goal) return now;
      if (Date.now() > deadline)
        throw new Error(`flow: ${now.received} records came back, not ${goal} within ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /**
   * Sends no more, waits for what is on its way (three seconds at most, or what the machine needs) and resolves with
   * the final counts.
   */
  async stop(): Promise<FlowSummary> {
    const summary = await this.#ask('stop');
    await this[Symbol.asyncDispose]();
    return summary;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop();
    await this.#server?.[Symbol.asyncDispose]();
  }

  async #ask(command: 'report' | 'stop'): Promise<FlowSummary> {
    const from = this.#process.lines.length;
    this.#process.write(`${command}\n`);
    const [line] = await this.#process.waitFor(/^\{.*\}$/, { from });
    // Printed by peers/flow.ts.
    const answer = JSON.parse(line) as FlowSummary | { error: string };
    if ('error' in answer) throw new Error(`flow: ${answer.error}`);
    return answer;
  }
}
