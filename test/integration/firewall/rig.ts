import { openNftables, type Nftables } from 'nftables-json';
import type { ClientNetwork, Site } from '../../../rules/index.js';
import { compileNexthopStructure, compileRouting, networkKey } from '../../../rules/index.js';
import { Reconciler, type WantedSite } from '../../../sidecar/kernel/reconciler.js';
import { RuleTables } from '../../../sidecar/kernel/rule-tables.js';
import { NftablesFirewall } from '../../../sidecar/firewall/nftables-firewall.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';
import { ClientNetworks } from '../../../sidecar/sessions/client-networks.js';
import type { KernelRouting } from '../../../sidecar/routing/kernel-routing.js';
import { NetlinkRouting } from '../../../sidecar/routing/netlink/netlink-routing.js';
import { eventually } from '../../lab/wait.js';
import { POLICY, network, site } from '../../unit/rules/sample-site.js';

const OWNER = 'test';

/** A reconciler on the real kernel, with the clients that a test says. */
export class Rig implements AsyncDisposable {
  readonly nft: Nftables;
  readonly firewall: NftablesFirewall;
  readonly clients = new ClientNetworks();
  readonly reconciler: Reconciler;
  readonly log = captureLog();
  /** Networks that left the kernel, in order: their conntrack entries are to be flushed. */
  readonly removed: string[] = [];

  readonly #routing: KernelRouting;

  private constructor(nft: Nftables, routing: KernelRouting) {
    this.nft = nft;
    this.#routing = routing;
    this.firewall = new NftablesFirewall(nft, POLICY.table);
    this.reconciler = new Reconciler({
      policy: POLICY,
      tables: RuleTables.of(this.firewall, null, (wanted) => ({
        rules: compileNexthopStructure(wanted),
        bridge: null,
        routing: compileRouting(wanted),
      })),
      routing,
      clients: this.clients,
      logger: this.log.logger,
      onRemoved: (networks) => this.removed.push(...networks.map(networkKey)),
      backoffMs: [5, 50],
    });
  }

  static async open(): Promise<Rig> {
    return new Rig(await openNftables(), await NetlinkRouting.open());
  }

  /** As the daemon does at its start: takes over what is in the kernel, with its clients wanted as before. */
  async adopt(): Promise<void> {
    const table = await this.firewall.adopt(() => 'tun0');
    const plan = await this.#routing.read(POLICY);
    const clients = [...(table?.clients.values() ?? [])];
    for (const adopted of clients) this.clients.add(OWNER, adopted);
    this.reconciler.adopt(clients, plan);
  }

  /** Makes a site wanted and waits until the kernel has it. */
  async want(overrides: Partial<Site> = {}): Promise<void> {
    const { policy: _policy, subnetLengths: _lengths, clientRouteFamilies: _families, ...wanted } = site(overrides);
    this.reconciler.setSite(wanted satisfies WantedSite);
    await this.settled();
  }

  /** A client network comes; resolves when it was tried. */
  async connect(...texts: readonly string[]): Promise<void> {
    for (const text of texts) this.#note(this.clients.add(OWNER, client(text)) !== null, text);
    await this.reconciler.idle();
  }

  /** A client network goes; resolves when it was tried. */
  async disconnect(...texts: readonly string[]): Promise<void> {
    for (const text of texts) this.#note(this.clients.remove(OWNER, networkKey(client(text))) !== null, text);
    await this.reconciler.idle();
  }

  /**
   * During the next pass, when the kernel has taken its transaction and the pass is not over yet, clients come and go.
   */
  duringNextPass(change: { readonly come?: readonly string[]; readonly go?: readonly string[] }): void {
    const { firewall } = this;
    const apply = firewall.apply.bind(firewall);
    firewall.apply = async (...args) => {
      firewall.apply = apply;
      await apply(...args);
      for (const text of change.come ?? []) this.#note(this.clients.add(OWNER, client(text)) !== null, text);
      for (const text of change.go ?? [])
        this.#note(this.clients.remove(OWNER, networkKey(client(text))) !== null, text);
    };
  }

  /** Resolves when the last pass succeeded and none is under way. */
  async settled(): Promise<void> {
    try {
      await eventually(
        async () => {
          await this.reconciler.idle();
          return this.reconciler.isSettled;
        },
        { what: 'a settled kernel', timeoutMs: 3000 },
      );
    } catch (error) {
      throw new Error(this.reconciler.problem ?? 'no problem, and not settled', { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reconciler.close();
    await this.#routing[Symbol.asyncDispose]();
    await this.nft[Symbol.asyncDispose]();
  }

  #note(isChanged: boolean, text: string): void {
    if (isChanged) this.reconciler.clientChanged(networkKey(client(text)));
  }
}

/** A client network that is reached over tun0. */
export function client(text: string): ClientNetwork {
  return { ...network(text), device: 'tun0' };
}
