import type { Command } from 'nftables-json';
import type { Settings } from '../../config/settings.js';
import type { OffloadedFlows } from '../../firewall/firewall.js';
import type { Logger } from '../../log/logger.js';
import type { OffloadStatus } from '../../status.js';

/** Why flows pass rules and routing once more before they are offloaded again. */
export type RenewalReason =
  /** Another program changed rules: one of them may drop what is offloaded. */
  | 'rules'
  /** A flow was learnt from another gateway. */
  | 'relearnt'
  /** The MTU of a link or a tunnel is another one: IPv6 keeps the old one in the flow. */
  | 'mtu'
  /** A tunnel was created: the flowtable has no device of that name, or lost it. */
  | 'tunnel'
  /** A client left, and its flows must end; some kernels delete no conntrack entry of an offloaded flow (EBUSY). */
  | 'client';

/** What a decision is made of. */
export interface OffloadKernel {
  /** Changes with each change of another program; undefined: cannot be read. */
  readonly othersGeneration: () => Promise<number | undefined>;
  /** Chains of other programs that an offloaded packet does not pass. */
  readonly bypassedChains: () => Promise<readonly string[]>;
  /** @throws NftError if the kernel would refuse */
  readonly check: (commands: readonly Command[]) => Promise<void>;
  readonly flows: OffloadedFlows;
}

/** A device whose change matters. */
export interface OffloadDevice {
  readonly device: string;
  /** Another one after it was recreated. */
  readonly index: number;
  readonly mtu: number;
  readonly isTunnel: boolean;
}

export interface OffloadOptions {
  readonly setting: Settings['offload'];
  /** In words why there is none: rules are made by iptables, or this is another datapath. */
  readonly kernel: OffloadKernel | string;
  /** The site has to be compiled again. */
  readonly onChanged: () => void;
  readonly logger: Logger;
}

/**
 * Whether packets from tunnels to gateways are offloaded, and when the flowtable is renewed.
 *
 * What the kernel notices by itself is not here: a MAC address that moves (the neighbour is asked for each packet), a
 * connection that ends. A gateway that goes renews it with the rules that go, see `FlowtableSpec.dependencies`.
 */
export class Offload {
  readonly #options: OffloadOptions;
  #isSupported = false;
  #isOn = false;
  #reason: string | null;
  #generation: number | null = null;
  #relearnt: number | null = null;
  #devices: readonly OffloadDevice[] = [];
  #renewals = 0;
  #waiting: Promise<void> | null = null;
  #renewing: Promise<void> = Promise.resolve();

  constructor(options: OffloadOptions) {
    this.#options = options;
    this.#reason = options.setting === 'off' ? 'the setting offload is off' : 'not decided yet';
  }

  /** Packets are offloaded, as far as the kernel accepts it. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** Null: the setting is `off`, and nothing needs to be said. */
  get status(): OffloadStatus | null {
    const { setting, kernel } = this.#options;
    if (setting === 'off') return null;
    const refusal = this.#isOn ? refusalOf(kernel) : null;
    return {
      isOn: this.#isOn && refusal === null,
      reason: refusal === null ? this.#reason : `the kernel refuses: ${refusal}`,
      renewals: this.#renewals,
    };
  }

  /** Finds out what the kernel can do, and decides. Never rejects. */
  async start(): Promise<void> {
    const { setting, kernel, logger } = this.#options;
    if (setting === 'off') return;
    const problem = await whyUnsupported(kernel);
    this.#isSupported = problem === null;
    this.#reason = problem;
    if (problem === null) await this.look().catch((error: unknown) => logger.warn('daemon.check_failed', { error }));
    else if (setting === 'on') logger.warn('offload.unsupported', { reason: problem });
    else logger.info('offload.decided', { isOn: false, reason: problem });
  }

  /** Decides again, and renews, if another program changed rules. Costs microseconds otherwise. */
  async look(): Promise<void> {
    const { kernel } = this.#options;
    if (!this.#isSupported || typeof kernel === 'string') return;
    const generation = (await kernel.othersGeneration()) ?? null;
    if (generation === this.#generation) return;
    const isFirst = this.#generation === null;
    await this.#decide(kernel);
    this.#generation = generation;
    if (!isFirst) await this.rulesChanged();
  }

  /** Another program changed rules: one that drops must see the packets of flows that are offloaded. */
  rulesChanged(): Promise<void> {
    return this.#renew('rules');
  }

  /**
   * Takes what the rules counted since they were written.
   *
   * @param relearnt frames by which a flow that is offloaded was learnt from another gateway
   */
  relearnt(relearnt: number): void {
    const known = this.#relearnt;
    this.#relearnt = relearnt;
    // The counter begins again when the rules are replaced, and so does the flowtable.
    if (known !== null && relearnt > known) void this.#renew('relearnt');
  }

  /** Takes a reading of links and tunnels. A tunnel that was created, and an MTU that changed, renew. */
  devicesRead(devices: readonly OffloadDevice[]): void {
    const before = this.#devices;
    this.#devices = devices;
    if (hasNewTunnel(before, devices)) void this.#renew('tunnel');
    else if (hasOtherMtu(before, devices)) void this.#renew('mtu');
  }

  /** A client left, or its address passed to another one. Resolves when none of its flows is offloaded; never rejects. */
  clientLeft(): Promise<void> {
    return this.#renew('client');
  }

  /** Resolves when no renewal is under way; never rejects. */
  async close(): Promise<void> {
    await this.#waiting;
    await this.#renewing;
  }

  async #decide(kernel: OffloadKernel): Promise<void> {
    const { setting, onChanged, logger } = this.#options;
    const bypassed = await kernel.bypassedChains();
    const wasOn = this.#isOn;
    const before = this.#reason;
    this.#isOn = setting === 'on' || bypassed.length === 0;
    this.#reason =
      bypassed.length === 0 ? null : `offloaded packets ${this.#isOn ? '' : 'would '}bypass ${listed(bypassed)}`;
    if (wasOn !== this.#isOn || before !== this.#reason)
      logger.info('offload.decided', { isOn: this.#isOn, reason: this.#reason });
    if (wasOn !== this.#isOn) onChanged();
  }

  /** What asks while one renewal waits for another is served by the one that waits. */
  #renew(reason: RenewalReason): Promise<void> {
    if (!this.#isOn) return Promise.resolve();
    this.#waiting ??= this.#renewing.then(() => {
      this.#waiting = null;
      this.#renewing = this.#renewNow(reason);
      return this.#renewing;
    });
    return this.#waiting;
  }

  async #renewNow(reason: RenewalReason): Promise<void> {
    const { kernel, logger } = this.#options;
    try {
      if (typeof kernel === 'string' || !(await kernel.flows.renew())) return;
      this.#renewals += 1;
      logger.debug('offload.renewed', { reason });
    } catch (error) {
      logger.warn('offload.not_renewed', { reason, error });
    }
  }
}

/** A tunnel is there that was not, or was another device. Pure. */
export function hasNewTunnel(before: readonly OffloadDevice[], now: readonly OffloadDevice[]): boolean {
  return now.some(({ isTunnel, index }) => isTunnel && !before.some((known) => known.index === index));
}

/** A device has another MTU than before. Pure. */
export function hasOtherMtu(before: readonly OffloadDevice[], now: readonly OffloadDevice[]): boolean {
  return now.some(({ index, mtu }) => before.some((known) => known.index === index && known.mtu !== mtu));
}

/** The loopback device is in every network namespace, so ENOENT says that the kernel has no flowtables. */
async function whyUnsupported(kernel: OffloadKernel | string): Promise<string | null> {
  if (typeof kernel === 'string') return kernel;
  if ((await kernel.othersGeneration().catch(() => undefined)) === undefined)
    return 'with `executor: process`, gwmark cannot see that other programs change rules';
  const table = { family: 'inet', name: 'gwmark_probe' } as const;
  try {
    await kernel.check([
      { add: { table } },
      {
        add: {
          flowtable: { family: 'inet', table: table.name, name: 'probe', hook: 'ingress', prio: 0, dev: ['lo'] },
        },
      },
    ]);
    return null;
  } catch (error) {
    return `this kernel has no flowtables (${(error as Error).message})`;
  }
}

function refusalOf(kernel: OffloadKernel | string): string | null {
  return typeof kernel === 'string' ? null : kernel.flows.refusal;
}

function listed(chains: readonly string[]): string {
  const shown = chains.slice(0, 3).join(', ');
  return chains.length <= 3 ? shown : `${shown} and ${chains.length - 3} more`;
}
