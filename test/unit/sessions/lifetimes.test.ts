import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { Follower } from './model/follower.js';
import { type Instance, OpenVpnServer, type Traits, type Truth, type Written } from './model/openvpn-server.js';

/** How many seeds; `npm run test:all` takes 20000. Replay one with PROPERTY_SEED, as fast-check prints it. */
const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 1000);
const SEED = process.env['PROPERTY_SEED'];

const NAMES = ['a', 'b', 'c', 'd'];
const IROUTES = ['203.0.113.0/25', '203.0.113.128/26', '203.0.113.0/24', '2001:db8:77::/64'];

const traits: fc.Arbitrary<Traits> = fc.record({
  version: fc.constantFrom('2.5', '2.6', '2.7'),
  hasClientAuth: fc.boolean(),
  hasDuplicateCn: fc.boolean(),
  isUserNamed: fc.boolean(),
  hasLongUserName: fc.boolean(),
  transport: fc.constantFrom(4, 6),
});

/** What happens; `who` chooses among those to whom it can happen. */
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('begin'),
      name: fc.constantFrom(...NAMES),
      host: fc.integer({ min: 10, max: 12 }),
      hasToken: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('let in'),
      who: fc.nat(7),
      iroutes: fc.subarray(IROUTES),
      isFixed: fc.boolean(),
      hasAddress: fc.integer({ min: 0, max: 9 }).map((each) => each > 0),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('leave'), who: fc.nat(7) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reject'), who: fc.nat(7) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reauthenticate'), who: fc.nat(7) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('roam'), who: fc.nat(7), host: fc.integer({ min: 10, max: 12 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass'), seconds: fc.integer({ min: 1, max: 3 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('ask'), isLong: fc.boolean() }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('read'), count: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose the connection') }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

describe('Who is connected, in every order of events', () => {
  it(`is known after a snapshot, and nobody who stays is ever cut off (${RUNS} seeds)`, function () {
    fc.assert(
      fc.property(traits, fc.array(step, { minLength: 10, maxLength: 80 }), (settings, steps) => {
        using world = new World(settings);
        for (const each of steps) world.take(each);
        world.settle();
      }),
      { numRuns: RUNS, ...(SEED === undefined ? {} : { seed: Number(SEED) }) },
    );
  });
});

/** A server, its follower, and what must hold of the two. */
class World implements Disposable {
  readonly #server: OpenVpnServer;
  readonly #follower: Follower;
  /** Whoever the follower was told of: these must not be absent while they last. */
  readonly #known = new Map<string, Set<Instance>>();
  /** By network, the name that had it when a snapshot last showed it to the follower. */
  readonly #lastOwner = new Map<string, string>();

  constructor(settings: Traits) {
    this.#server = new OpenVpnServer(settings);
    this.#follower = new Follower(this.#server);
  }

  [Symbol.dispose](): void {
    this.#follower[Symbol.dispose]();
  }

  take(each: Step): void {
    const server = this.#server;
    switch (each.kind) {
      case 'begin':
        server.begin(each.name, each.host, each.hasToken);
        return;
      case 'let in':
        this.#with(each.who, false, (one) => server.letIn(one, each.iroutes, this.#arrival(each)));
        return;
      case 'leave':
        this.#with(each.who, null, (one) => server.leave(one));
        return;
      case 'reject':
        this.#with(each.who, false, (one) => server.reject(one));
        return;
      case 'reauthenticate':
        this.#with(each.who, true, (one) => server.reauthenticate(one));
        return;
      case 'roam':
        this.#with(each.who, true, (one) => server.roam(one, each.host));
        return;
      case 'restart':
        server.restart();
        return;
      case 'pass':
        server.pass(each.seconds);
        return;
      case 'ask':
        this.#ask(server.traits.hasLongUserName && each.isLong ? 1 : 3);
        return;
      case 'read':
        this.#read(each.count);
        return;
      default:
        this.#follower.detach();
        this.#known.clear();
    }
  }

  /**
   * What nobody can tell by a status: whose subnets are without an address where real addresses have no ports, and
   * that two share an address of which only `status 1` tells.
   */
  #arrival({ isFixed, hasAddress }: { readonly isFixed: boolean; readonly hasAddress: boolean }) {
    const { transport, version, hasDuplicateCn, hasLongUserName } = this.#server.traits;
    return {
      isFixed: isFixed && !(hasDuplicateCn && hasLongUserName),
      hasAddress: hasAddress || (transport === 6 && version !== '2.7'),
    };
  }

  /**
   * Without ports a status does not say whose of two of one name a subnet is, and `status 1` not even whose an address
   * is.
   */
  #isTold(network: string, { addresses }: Instance, form: 1 | 3): boolean {
    const { transport, version, hasDuplicateCn } = this.#server.traits;
    const isUnclear = hasDuplicateCn && transport === 6 && version !== '2.7';
    return !isUnclear || (form === 3 && addresses.includes(network));
  }

  /** It is quiet; one more snapshot tells the truth. */
  settle(): void {
    while (!this.#follower.isAttached || this.#follower.isPreparing) {
      this.#ask(3);
      this.#read();
    }
    this.#ask(3);
    this.#read();
    assert.deepEqual([...this.#follower.keys()].toSorted(), [...this.#server.truth().keys()].toSorted());
  }

  /** A connection is made in three steps, between which things happen. */
  #ask(form: 1 | 3): void {
    if (!this.#follower.isAttached) this.#follower.attach();
    else if (this.#follower.isPreparing && !this.#follower.hasHistory) this.#follower.askHistory();
    else this.#server.status(form);
  }

  #read(count = Infinity): void {
    this.#follower.read(count, (item) => this.#check(item));
  }

  #check(item: Written): void {
    if (item.address !== null) add(this.#known, item.address.network, item.address.instance);
    if (item.kind === 'status')
      for (const [network, owners] of item.truth)
        for (const one of owners) if (this.#isTold(network, one, item.form)) add(this.#known, network, one);
    if (this.#follower.isPreparing) return;
    const keys = this.#follower.keys();
    for (const [network, instances] of this.#known)
      for (const instance of instances)
        if (item.truth.get(network)?.has(instance) !== true) instances.delete(instance);
        else assert.ok(keys.has(network), `${network} of the connected client ${instance.cid} is absent`);
    if (item.kind === 'status') this.#checkOwners(item.truth);
  }

  /** Nobody has inherited the connections of another name. */
  #checkOwners(truth: Truth): void {
    for (const [network, owners] of truth) {
      const names = new Set([...owners].map(({ name }) => name));
      const [name] = names;
      if (name === undefined || names.size > 1) continue;
      const before = this.#lastOwner.get(network);
      assert.ok(
        before === undefined || before === name || this.#follower.cutOff.has(network),
        `${network} passed from ${before} to ${name}, who inherits its connections`,
      );
      this.#lastOwner.set(network, name);
      this.#follower.cutOff.delete(network);
    }
  }

  #with(who: number, isConnected: boolean | null, act: (instance: Instance) => void): void {
    const able = [...this.#server.instances.values()].filter(
      (each) => isConnected === null || each.isConnected === isConnected,
    );
    const chosen = able[who % Math.max(1, able.length)];
    if (chosen !== undefined) act(chosen);
  }
}

function add(map: Map<string, Set<Instance>>, network: string, instance: Instance): void {
  map.set(network, (map.get(network) ?? new Set()).add(instance));
}
