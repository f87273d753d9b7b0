import type { Logger } from '../log/logger.js';
import { printable } from '../log/printable.js';
import { type NotifySocket, openNotifySocket } from './notify-socket.js';

/** The variables that the service manager sets. */
export type NotifyEnvironment = Record<string, string | undefined>;

/**
 * Reports the sidecar's state to the service manager: ready, reloading, stopping, and one line of status. Without
 * `NOTIFY_SOCKET` it does nothing. Nothing here throws: a service manager that does not listen stops no traffic.
 *
 * @see sd_notify(3), sd_watchdog_enabled(3)
 */
export class Notifier implements Disposable {
  readonly #socket: NotifySocket | null;
  readonly #logger: Logger;
  #watchdog: NodeJS.Timeout | null = null;
  #status = '';
  #isReady = false;
  #hasWarned = false;

  private constructor(socket: NotifySocket | null, logger: Logger) {
    this.#socket = socket;
    this.#logger = logger;
  }

  /**
   * Opens what the environment names; the caller disposes of it. The variables are taken out of the environment, so
   * that the programs that the sidecar runs do not speak for it. A watchdog is fed from the event loop: a loop that
   * hangs ends it.
   */
  static async open(env: NotifyEnvironment, logger: Logger): Promise<Notifier> {
    const { NOTIFY_SOCKET: name, WATCHDOG_USEC: interval, WATCHDOG_PID: pid } = env;
    for (const variable of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[variable];
    if (name === undefined || name === '') return new Notifier(null, logger);
    try {
      const notifier = new Notifier(await openNotifySocket(name), logger);
      if (pid === undefined || Number(pid) === process.pid) notifier.#feedWatchdog(Number(interval ?? 0) / 1000);
      return notifier;
    } catch (error) {
      logger.warn('notify.failed', { reason: (error as Error).message });
      return new Notifier(null, logger);
    }
  }

  /** The start is over. */
  ready(): void {
    this.#isReady = true;
    this.#send('READY=1');
  }

  /** One line for `systemctl status`; an unchanged line is not sent again. */
  status(text: string): void {
    const line = printable(text);
    if (line === this.#status) return;
    this.#status = line;
    this.#send(`STATUS=${line}`);
  }

  /** The configuration is being reloaded; `reloaded` ends it. */
  reloading(): void {
    if (!this.#isReady) return;
    // Node's clock is CLOCK_MONOTONIC, which the protocol asks for, in microseconds.
    this.#send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  reloaded(): void {
    if (this.#isReady) this.#send('READY=1');
  }

  stopping(): void {
    this.#send('STOPPING=1');
  }

  [Symbol.dispose](): void {
    if (this.#watchdog !== null) clearInterval(this.#watchdog);
    this.#socket?.close();
  }

  #feedWatchdog(intervalMs: number): void {
    if (!(intervalMs > 0)) return;
    this.#watchdog = setInterval(() => this.#send('WATCHDOG=1'), intervalMs / 2);
    this.#watchdog.unref();
  }

  #send(text: string): void {
    if (this.#socket === null) return;
    try {
      this.#socket.send(text);
    } catch (error) {
      if (!this.#hasWarned) this.#logger.warn('notify.failed', { reason: (error as Error).message });
      this.#hasWarned = true;
    }
  }
}
