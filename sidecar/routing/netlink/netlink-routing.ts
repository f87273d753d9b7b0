import { constants } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Family, Neighbour, Policy, PolicyRule, Route, RoutingDiff, RoutingPlan } from '../../../rules/index.js';
import { GwmarkError } from '../../errors.js';
import type { IpNeighbour } from '../iproute.js';
import type { KernelRouting, MainRoute, WatchOptions } from '../kernel-routing.js';
import { familyOf, type NeighbourQuestion, questionLine } from '../neighbour-questions.js';
import { ALREADY_GONE } from '../plan.js';
import { neighbourLine, printRoute, printRule } from '../print.js';
import {
  type NeighbourEntry,
  decodeAnswer,
  decodeMainRoute,
  decodeNeighbour,
  decodeRoute,
  decodeRule,
  toIpNeighbour,
  toNeighbour,
} from './decode.js';
import {
  askNeighbour,
  askRoute,
  changeRoute,
  changeRule,
  getNeighbour,
  removeNeighbour,
  setNeighbour,
} from './encode.js';
import type { Message, Request } from './messages.js';
import type { DeviceNames } from './device-names.js';
import { NetlinkMonitor } from './netlink-monitor.js';
import { RoutingRefusal } from './refusal.js';
import { RouteSocket } from './route-socket.js';
import { AF, OWN_HEADER_BYTES, RTM, RT_TABLE } from './rtnetlink.js';

/** After so many changes or questions, other work has its turn: one takes about 10 microseconds. */
const CHANGES_PER_TURN = 100;
const { ENOENT } = constants.errno;

/** Rules, routes and neighbours by rtnetlink, in this process. */
export class NetlinkRouting implements KernelRouting {
  readonly by = 'netlink';
  readonly #socket: RouteSocket;

  private constructor(socket: RouteSocket) {
    this.#socket = socket;
  }

  /** @throws GwmarkError ROUTING_UNAVAILABLE without koffi or netlink */
  static async open(): Promise<NetlinkRouting> {
    return new NetlinkRouting(await RouteSocket.open());
  }

  async read({ routing: { protocol } }: Policy): Promise<RoutingPlan> {
    const { names } = this.#socket;
    const rules: PolicyRule[] = [];
    const routes: Route[] = [];
    for (const family of [4, 6] as const) {
      const own = Buffer.alloc(OWN_HEADER_BYTES);
      own[0] = AF[family];
      rules.push(
        ...(await this.#list(RTM.getRule, own, (message) => {
          const found = decodeRule(message);
          return found?.protocol === protocol ? found.rule : null;
        })),
      );
      // The kernel leaves out those of others: a router of the Internet has a million of them.
      const ofProtocol = Buffer.from(own);
      ofProtocol[5] = protocol;
      routes.push(
        ...(await this.#list(RTM.getRoute, ofProtocol, (message) => {
          const found = decodeRoute(message, names);
          return found?.protocol === protocol ? found.route : null;
        })),
      );
    }
    const neighbours = await this.#list(
      RTM.getNeighbour,
      Buffer.alloc(OWN_HEADER_BYTES),
      (message): Neighbour | null => {
        const found = decodeNeighbour(message, names);
        return found?.protocol === protocol ? toNeighbour(found) : null;
      },
    );
    return { rules, routes, neighbours };
  }

  async add(policy: Policy, diff: RoutingDiff): Promise<void> {
    const { names } = this.#socket;
    await this.#change([
      ...diff.setNeighbours.map((item) =>
        changeOf(
          () => neighbourLine(policy, item),
          item,
          () => setNeighbour(policy, item, names),
        ),
      ),
      ...diff.setRoutes.map((item) =>
        changeOf(
          () => `route replace ${printRoute(policy, item)}`,
          item,
          () => changeRoute('replace', policy, item, names),
        ),
      ),
      ...diff.addRules.map((item) =>
        changeOf(
          () => `rule add ${printRule(policy, item)}`,
          item,
          () => changeRule('add', policy, item),
        ),
      ),
    ]);
  }

  async remove(policy: Policy, diff: RoutingDiff): Promise<void> {
    const { names } = this.#socket;
    await this.#change(
      [
        ...diff.removeRules.map((item) =>
          changeOf(
            () => `rule del ${printRule(policy, item)}`,
            item,
            () => changeRule('del', policy, item),
          ),
        ),
        ...diff.removeRoutes.map((item) =>
          changeOf(
            () => `route del ${printRoute(policy, item)}`,
            item,
            () => changeRoute('del', policy, item, names),
          ),
        ),
        ...diff.removeNeighbours.map((item) =>
          changeOf(
            () => `neigh del ${item.address} dev ${item.device}`,
            item,
            () => removeNeighbour(item, names),
          ),
        ),
      ],
      ALREADY_GONE,
    );
  }

  async routesTo(family: Family, addresses: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    for (const [index, address] of addresses.entries()) {
      if (index % CHANGES_PER_TURN === CHANGES_PER_TURN - 1) await nextTurn();
      const device = this.#deviceTo(family, address);
      if (device !== null) found.set(address, device);
    }
    return found;
  }

  async mainRoutes(tunnels: readonly string[]): Promise<readonly MainRoute[]> {
    const { names } = this.#socket;
    const indexes = new Set(tunnels.flatMap((name) => indexOrNone(name, names)));
    const routes: MainRoute[] = [];
    for (const family of [4, 6] as const) {
      const own = Buffer.alloc(OWN_HEADER_BYTES);
      own[0] = AF[family];
      own[4] = RT_TABLE.main;
      routes.push(...(await this.#list(RTM.getRoute, own, (message) => decodeMainRoute(message, indexes, names))));
    }
    return routes;
  }

  neighbours(device?: string): Promise<readonly IpNeighbour[]> {
    return this.#list(RTM.getNeighbour, Buffer.alloc(OWN_HEADER_BYTES), (message) => {
      const found = decodeNeighbour(message, this.#socket.names);
      return found === null || (device !== undefined && found.device !== device) ? null : toIpNeighbour(found);
    });
  }

  async neighboursAt(device: string, addresses: readonly string[]): Promise<readonly IpNeighbour[]> {
    const found: IpNeighbour[] = [];
    for (const [index, address] of addresses.entries()) {
      if (index % CHANGES_PER_TURN === CHANGES_PER_TURN - 1) await nextTurn();
      const entry = this.#entryOf(device, address);
      if (entry !== null) found.push(toIpNeighbour(entry));
    }
    return found;
  }

  async ask(questions: readonly NeighbourQuestion[]): Promise<void> {
    const { names } = this.#socket;
    await this.#change(
      questions.map((question) =>
        changeOf(
          () => questionLine(question),
          question,
          () => askNeighbour(question, names),
        ),
      ),
      /./,
    );
  }

  watch(options: WatchOptions): Promise<AsyncDisposable> {
    return NetlinkMonitor.open(this.#socket.names, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
  }

  /** Null where there is none, or the device is gone. */
  #entryOf(device: string, address: string): NeighbourEntry | null {
    const { names } = this.#socket;
    try {
      const answer = this.#socket.question(getNeighbour(familyOf(address), address, device, names));
      return answer.type === RTM.newNeighbour ? decodeNeighbour(answer, names) : null;
    } catch (error) {
      if (error instanceof RoutingRefusal) return null;
      throw error;
    }
  }

  #deviceTo(family: Family, address: string): string | null {
    try {
      return decodeAnswer(this.#socket.question(askRoute(family, address)), this.#socket.names);
    } catch (error) {
      if (!(error instanceof RoutingRefusal)) throw error;
      throw new GwmarkError('ROUTING_FAILED', `ip -${family} route get ${address}: ${error.reason}`, { cause: error });
    }
  }

  /** @param tolerate when given, a refusal for such a reason is none; others fail after the rest was done */
  async #change(changes: readonly Change[], tolerate?: RegExp): Promise<void> {
    let failure: GwmarkError | null = null;
    let count = 0;
    for (const change of changes) {
      count += 1;
      if (count % CHANGES_PER_TURN === 0) await nextTurn();
      const refused = this.#make(change);
      if (refused === null || tolerate?.test(refused.reason) === true) continue;
      failure ??= new GwmarkError('ROUTING_FAILED', `${change.line()}: ${refused.reason}`, { cause: refused });
      if (tolerate === undefined) break;
    }
    if (failure !== null) throw failure;
  }

  #make({ request }: Change): RoutingRefusal | null {
    try {
      this.#socket.ask(request());
      return null;
    } catch (error) {
      if (error instanceof RoutingRefusal) return error;
      throw error;
    }
  }

  async #list<T>(type: number, own: Buffer, read: (message: Message) => T | null): Promise<T[]> {
    const found: T[] = [];
    try {
      await this.#socket.list(
        type,
        own,
        (message) => {
          const item = read(message);
          if (item !== null) found.push(item);
        },
        () => (found.length = 0),
      );
    } catch (error) {
      if (!(error instanceof RoutingRefusal)) throw error;
      // Of a table that has never had a route.
      if (error.errno === ENOENT) return [];
      throw new GwmarkError('ROUTING_FAILED', `list routing (rtnetlink message ${type}): ${error.reason}`, {
        cause: error,
      });
    }
    return found;
  }
}

/** Empty for a device that is gone. */
function indexOrNone(name: string, names: DeviceNames): number[] {
  try {
    return [names.indexOf(name)];
  } catch {
    return [];
  }
}

/** One change, and the line by which ip(8) would make it, for an error message. */
interface Change {
  readonly line: () => string;
  /** @throws RoutingRefusal if a device is gone */
  readonly request: () => Request;
}

function changeOf(line: () => string, { family }: { readonly family: Family }, request: () => Request): Change {
  return { line: () => `ip -${family} ${line()}`, request };
}
