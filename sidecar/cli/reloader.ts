import { type ConfigInput, loadConfig, type LoadedConfig } from '../config/load.js';
import { formatProblems } from '../config/problem.js';
import { planReload, type ReloadTarget, type Reloads } from '../config/reload.js';
import type { RootLogger } from '../log/logger.js';

/**
 * SIGHUP: reads the configuration from where it was read at the start, and hands what can change to the daemon.
 * One at a time; however many signals come during one, one more reading follows it.
 */
export class Reloader implements Reloads {
  readonly #input: ConfigInput;
  readonly #logger: RootLogger;
  #current: Pick<LoadedConfig, 'flat' | 'settings'>;
  #target: ReloadTarget | null = null;
  #running: Promise<void> | null = null;
  #isAskedAgain = false;

  constructor(input: ConfigInput, config: LoadedConfig, logger: RootLogger) {
    this.#input = input;
    this.#current = config;
    this.#logger = logger;
  }

  attach(target: ReloadTarget): void {
    this.#target = target;
  }

  /** Reads the configuration again, now or after the current reading. */
  request(): void {
    this.#isAskedAgain = true;
    this.#running ??= this.#run();
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#isAskedAgain) {
      this.#isAskedAgain = false;
      await this.#reload().catch((error: unknown) =>
        this.#logger.error('config.reload_failed', { reason: String(error), error }),
      );
    }
    this.#running = null;
  }

  async #reload(): Promise<void> {
    this.#target?.reloading();
    try {
      const next = await loadConfig(this.#input, { endpoints: true });
      if (!next.ok) {
        this.#logger.error('config.reload_failed', { reason: formatProblems(next.problems), problems: next.problems });
        return;
      }
      const reload = planReload(this.#current, next);
      if (reload.pending.length > 0) this.#logger.warn('config.restart_needed', { settings: reload.pending });
      this.#logger.setLevel(reload.settings.log.level);
      await this.#target?.apply(reload.settings);
      this.#current = reload;
      this.#logger.info('config.reloaded', { settings: reload.applied });
    } finally {
      this.#target?.reloaded();
    }
  }
}
