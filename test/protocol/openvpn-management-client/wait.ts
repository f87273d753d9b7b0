import {
  isManagementError,
  ManagementClient,
  type Disconnect,
  type ManagementClientOptions,
  type Notification,
  type Origin,
} from 'openvpn-management-client';

/** A message with its position. */
export interface Seen {
  readonly message: Notification;
  readonly origin: Origin;
}

/** A client with everything that it reported so far, and the means to wait for more. */
export class Observed implements AsyncDisposable {
  readonly client: ManagementClient;
  readonly seen: Seen[] = [];
  readonly disconnects: Disconnect[] = [];
  /** What run() came to; never rejects. */
  readonly ended: Promise<unknown>;
  readonly #watchers = new Set<() => void>();

  private constructor(options: ManagementClientOptions) {
    this.client = new ManagementClient({
      connectTimeoutMs: 30_000,
      commandTimeoutMs: 30_000,
      backoff: { baseMs: 1, maxMs: 5 },
      ...options,
    });
    this.client.onMessage((message, origin) => {
      this.seen.push({ message, origin });
      this.#look();
    });
    this.client.onDisconnected((disconnect) => {
      this.disconnects.push(disconnect);
      this.#look();
    });
    this.ended = Promise.resolve();
  }

  /** Makes a client; `prepare` may add hooks before it runs. */
  static run(
    options: ManagementClientOptions,
    prepare: (client: ManagementClient) => void = () => undefined,
  ): Observed {
    const observed = new Observed(options);
    prepare(observed.client);
    const ended = observed.client.run().then(
      () => undefined,
      (error: unknown) => error,
    );
    return Object.assign(observed, { ended });
  }

  /** Resolves with the first value that `find` gives, now or after some later report. */
  async until<T>(what: string, find: (observed: this) => T | undefined | false, timeoutMs = 30_000): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#watchers.delete(look);
        reject(
          new Error(
            `${what}: not within ${timeoutMs} ms; seen ${JSON.stringify(this.seen.map(({ message }) => message.kind))}, ${this.disconnects.map(({ cause }) => cause.code).join(' ')}`,
          ),
        );
      }, timeoutMs);
      const look = (): void => {
        const value = find(this);
        if (value === undefined || value === false) return;
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve(value);
      };
      this.#watchers.add(look);
      look();
    });
  }

  /** Resolves with the first message of a kind, counted from `from`. */
  async message<K extends Notification['kind']>(kind: K, from = 0): Promise<Extract<Notification, { kind: K }>> {
    return this.until(kind, ({ seen }) => {
      for (const { message } of seen.slice(from)) if (isKind(message, kind)) return message;
      return undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
  }

  #look(): void {
    for (const watcher of this.#watchers) watcher();
  }
}

function isKind<K extends Notification['kind']>(
  message: Notification,
  kind: K,
): message is Extract<Notification, { kind: K }> {
  return message.kind === kind;
}

/** For assert.rejects: a ManagementError with this code. */
export const code =
  (expected: Parameters<typeof isManagementError>[1]) =>
  (error: unknown): boolean =>
    isManagementError(error, expected);
