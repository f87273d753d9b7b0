import { Capture } from '../lab/capture.js';
import type { Frame } from '../lab/frame.js';
import type { Namespace } from '../lab/namespace.js';
import { type AsyncDisposableStackLike, MAC, SECOND_LEG } from '../lab/topology.js';
import type { VpnLab } from '../lab/vpn-lab.js';
import type { BootedRoot } from '../packages/booted-root.js';
import type { DebianRoot } from '../packages/root.js';

/** A cable of the endpoint beside its first one. */
export interface Cable {
  readonly namespace: Namespace;
  readonly device: string;
}

/** One lab with one neighbour in it: what the neighbour may use and change, and what the matrix then expects. */
export class Scene {
  readonly lab: VpnLab;
  /** Where answers through each router have to go. */
  readonly macs: { r1: string; r2: string; u: string } = { r1: MAC.r1, r2: MAC.r2, u: MAC.u };
  /** The endpoint's own MACs, one a card. */
  readonly endpointMacs = new Set<string>([MAC.endpoint]);
  /** Cables of the endpoint, which are listened on. */
  readonly cables: Cable[];
  /** Local ports of OpenVPN. */
  readonly transportPorts = new Set([1194]);
  /** The Debian with the neighbours' programs. */
  readonly root: () => Promise<DebianRoot>;
  readonly #stack: AsyncDisposableStackLike;

  constructor(lab: VpnLab, stack: AsyncDisposableStackLike, root: () => Promise<DebianRoot>) {
    this.lab = lab;
    this.cables = [{ namespace: lab.topology.switch, device: 'to-endpoint' }];
    this.#stack = stack;
    this.root = root;
  }

  /** The lab has `hasTwoLegs`: OpenVPN's clients come by the other card. */
  async hasTwoLegs(): Promise<void> {
    this.cables.push({ namespace: this.endpoint, device: SECOND_LEG.endpoint.device });
    this.endpointMacs.add(SECOND_LEG.endpoint.mac);
    this.macs.u = SECOND_LEG.u.mac;
  }

  get endpoint(): Namespace {
    return this.lab.topology.endpoint;
  }

  /** OpenVPN reads the directory of its clients after it became another user. */
  async letEverybodyRead(): Promise<void> {
    await this.endpoint.run(['find', this.lab.pki.directory, '-type', 'd', '-exec', 'chmod', 'a+rx', '{}', '+']);
  }

  /** Ends the resource with the scene. */
  use<T extends AsyncDisposable>(resource: T): T {
    return this.#stack.use(resource);
  }

  /**
   * Starts a program of the neighbours' Debian in a namespace; it ends with the scene. Its own files are those of that
   * Debian; the lab's directory is seen under its own name.
   */
  async daemon(namespace: Namespace, argv: readonly string[], ready: RegExp): Promise<void> {
    const root = await this.root();
    const process = this.use(namespace.spawn(root.argv(argv, this.lab.pki.directory), { name: argv[0] ?? '' }));
    await process.waitFor(ready, { timeoutMs: 30_000 });
  }

  /** A systemd of the neighbours' Debian, with the endpoint for its network; it is powered off with the scene. */
  async boot(prepare: (root: DebianRoot) => Promise<void> = async () => undefined): Promise<BootedRoot> {
    const { BootedRoot: Booted } = await import('../packages/booted-root.js');
    const root = await this.root();
    await prepare(root);
    return this.use(await Booted.boot(root, this.endpoint, this.lab.pki.directory));
  }

  /** Records what crosses the endpoint's cables while `action` runs; frames of different cables are in no order. */
  async watch<T>(action: () => Promise<T>): Promise<{ readonly result: T; readonly frames: readonly Frame[] }> {
    const captures = await Promise.all(
      this.cables.map(async ({ namespace, device }) => await Capture.start(namespace, device)),
    );
    try {
      const result = await action();
      return { result, frames: (await Promise.all(captures.map(async (capture) => await capture.frames()))).flat() };
    } finally {
      await Promise.all(captures.map(async (capture) => await capture[Symbol.asyncDispose]()));
    }
  }
}
