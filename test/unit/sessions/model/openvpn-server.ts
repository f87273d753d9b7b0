/**
 * A model of one OpenVPN server, as far as its management interface tells of clients: what it knows of them, and the
 * bytes that it writes. Sources: manage.c, multi.c, ssl_verify.c of OpenVPN 2.5 to 2.7; orders as in the recorded
 * transcripts.
 */

/** How a server is configured. */
export interface Traits {
  readonly version: '2.5' | '2.6' | '2.7';
  /** `--management-client-auth`: without it only ESTABLISHED is said. */
  readonly hasClientAuth: boolean;
  readonly hasDuplicateCn: boolean;
  /** `--username-as-common-name`: the environment of a login still has the certificate's name. */
  readonly isUserNamed: boolean;
  /** A user name of 450 characters comes and goes: while it is connected only `status 1` answers. */
  readonly hasLongUserName: boolean;
  /** Family of the transport; IPv6 addresses have no port in a status before 2.7. */
  readonly transport: 4 | 6;
}

/** One client's connection, from its first packet to its end. */
export interface Instance {
  readonly cid: number;
  readonly name: string;
  readonly sinceSeconds: number;
  /** It was asked about by CONNECT, so ADDRESS and DISCONNECT will be said (DAF_INITIAL_AUTH). */
  readonly wasAsked: boolean;
  real: { readonly host: number; readonly port: number };
  kid: number;
  isConnected: boolean;
  /** Its own virtual addresses, as CLIENT_LIST has them. */
  addresses: readonly string[];
  /** What it learned so far, its own addresses first. */
  readonly learned: string[];
}

/** What was written, with the truth of that moment. */
export interface Written {
  readonly kind: 'events' | 'status';
  /** Lines with CRLF for events; rows without it for a status. */
  readonly lines: readonly string[];
  readonly form: 1 | 3;
  /** Every network of a connected client, and who has it. */
  readonly truth: Truth;
  /** What an ADDRESS in it says. */
  readonly address: { readonly network: string; readonly instance: Instance } | null;
}

/** By network, without a prefix length where it is one address. */
export type Truth = ReadonlyMap<string, ReadonlySet<Instance>>;

const SERVER_ADDRESS = '10.8.0.1';

export class OpenVpnServer {
  readonly traits: Traits;
  /** Everything written while a management client was attached. */
  readonly written: Written[] = [];
  readonly instances = new Map<number, Instance>();
  /** The latest to learn a network has it: multi.c multi_learn_addr. */
  readonly #routes = new Map<string, number>();
  /** A pool address stays with a name that comes back: pool.c ifconfig_pool_acquire. */
  readonly #pool = new Map<string, number>();
  #nextCid = 0;
  #nextAddress = 2;
  #nowSeconds = 1_767_225_600;
  connectedAtSeconds = this.#nowSeconds;
  isAttached = false;

  constructor(traits: Traits) {
    this.traits = traits;
  }

  pass(seconds: number): void {
    this.#nowSeconds += seconds;
  }

  /** The first packet of a client. @param hasToken a valid token of `--auth-gen-token`: nobody is asked about it */
  begin(name: string, host: number, hasToken: boolean): Instance {
    const cid = this.#nextCid;
    this.#nextCid += 1;
    const instance: Instance = {
      cid,
      name,
      sinceSeconds: this.#nowSeconds,
      wasAsked: this.traits.hasClientAuth && !hasToken,
      real: { host, port: 40_000 + cid },
      kid: 1,
      isConnected: false,
      addresses: [],
      learned: [],
    };
    this.instances.set(cid, instance);
    if (instance.wasAsked)
      this.#say(`>CLIENT:CONNECT,${cid},${instance.kid}`, ...this.#environment(instance, 'untrusted', true));
    return instance;
  }

  /**
   * It is let in, and has these networks behind it.
   *
   * @param fixed its address is set in a file of its own, the same for all of its name (`ifconfig-push`)
   */
  letIn(instance: Instance, iroutes: readonly string[], { isFixed = false, hasAddress = true } = {}): void {
    if (!this.traits.hasDuplicateCn) {
      for (const other of this.instances.values())
        if (other !== instance && other.name === instance.name && other.isConnected) this.leave(other);
    }
    const host = this.#addressFor(instance, isFixed);
    instance.addresses = hasAddress ? [`10.8.0.${host}`, `2001:db8:8::${(0x1000 + host).toString(16)}`] : [];
    instance.isConnected = true;
    for (const address of instance.addresses) this.#learn(instance, address, true);
    for (const iroute of iroutes) this.#learn(instance, iroute, false);
    this.#say(`>CLIENT:ESTABLISHED,${instance.cid}`, ...this.#environment(instance, 'trusted'));
  }

  /** Its file says `disable`: DISCONNECT comes before ESTABLISHED. */
  reject(instance: Instance): void {
    this.instances.delete(instance.cid);
    if (instance.wasAsked) this.#say(`>CLIENT:DISCONNECT,${instance.cid}`, ...this.#environment(instance, 'trusted'));
    this.#say(`>CLIENT:ESTABLISHED,${instance.cid}`, ...this.#environment(instance, 'trusted'));
  }

  /** It left, was killed, or was never let in. */
  leave(instance: Instance): void {
    this.instances.delete(instance.cid);
    for (const [network, cid] of this.#routes) if (cid === instance.cid) this.#routes.delete(network);
    if (!instance.wasAsked) return;
    const environment = instance.isConnected ? this.#environment(instance, 'trusted') : ['>CLIENT:ENV,END'];
    this.#say(`>CLIENT:DISCONNECT,${instance.cid}`, ...environment);
  }

  reauthenticate(instance: Instance): void {
    instance.kid += 1;
    if (instance.wasAsked)
      this.#say(`>CLIENT:REAUTH,${instance.cid},${instance.kid}`, ...this.#environment(instance, 'trusted', true));
  }

  /** No event says so. */
  roam(instance: Instance, host: number): void {
    instance.real = { host, port: instance.real.port + 1000 };
  }

  /** SIGUSR1: everybody is gone, and CIDs begin at 0 again. */
  restart(): void {
    for (const instance of this.instances.values()) this.leave(instance);
    this.#nextCid = 0;
    this.#say(`>STATE:${this.#nowSeconds},RECONNECTING,SIGUSR1,,,,,`);
    this.connectedAtSeconds = this.#nowSeconds;
    this.#say(`>STATE:${this.#nowSeconds},CONNECTED,SUCCESS,${SERVER_ADDRESS},,,,`);
  }

  /** Answers `status 3`, or `status 1`. */
  status(form: 1 | 3): void {
    this.#write({ kind: 'status', lines: form === 3 ? this.#status3() : this.#status1(), form, address: null });
  }

  #say(...lines: readonly string[]): void {
    this.#write({ kind: 'events', lines: lines.map((line) => `${line}\r\n`), form: 3, address: null });
  }

  #write(item: Omit<Written, 'truth'>): void {
    // What is said to nobody is lost.
    if (this.isAttached) this.written.push({ ...item, truth: this.truth() });
  }

  /** Rows have a client's own address whether or not another took its route; networks behind it go by routes. */
  truth(): Truth {
    const truth = new Map<string, Set<Instance>>();
    for (const instance of this.instances.values()) {
      for (const network of instance.learned) {
        if (!instance.addresses.includes(network) && this.#routes.get(network) !== instance.cid) continue;
        truth.set(network, (truth.get(network) ?? new Set()).add(instance));
      }
    }
    return truth;
  }

  #learn(instance: Instance, network: string, isPrimary: boolean): void {
    this.#routes.set(network, instance.cid);
    instance.learned.push(network);
    if (!instance.wasAsked) return;
    const line = `>CLIENT:ADDRESS,${instance.cid},${inEvents(network)},${isPrimary ? 1 : 0}\r\n`;
    this.#write({ kind: 'events', lines: [line], form: 3, address: { network, instance } });
  }

  #addressFor({ name, cid }: Instance, isFixed: boolean): number {
    if (isFixed) return 200 + name.charCodeAt(0) - 97;
    const handle = this.traits.hasDuplicateCn ? `${name} ${cid}` : name;
    const taken = new Set(
      [...this.instances.values()].flatMap(({ addresses }) => addresses.map((each) => Number(each.split('.')[3]))),
    );
    const own = this.#pool.get(handle);
    if (own !== undefined && !taken.has(own)) return own;
    // A free address of a name that is away may be given to another.
    let free = this.#nextAddress;
    while (taken.has(free)) free = free >= 9 ? 2 : free + 1;
    this.#nextAddress = free >= 9 ? 2 : free + 1;
    for (const [other, address] of this.#pool) if (address === free) this.#pool.delete(other);
    this.#pool.set(handle, free);
    return free;
  }

  #environment(
    { name, real, sinceSeconds, addresses, isConnected }: Instance,
    state: 'trusted' | 'untrusted',
    isLogin = false,
  ) {
    const six = this.traits.transport === 6 ? '6' : '';
    const { isUserNamed } = this.traits;
    const variables = [
      `common_name=${isUserNamed && isLogin ? `certificate of ${name}` : name}`,
      ...(isUserNamed ? [`username=${name}`] : []),
      `${state}_ip${six}=${this.#host(real.host)}`,
      `${state}_port=${real.port}`,
      ...(isConnected ? [`time_unix=${sinceSeconds}`] : []),
      ...(addresses[0] === undefined ? [] : [`ifconfig_pool_remote_ip=${addresses[0]}`]),
      'END',
    ];
    return variables.map((variable) => `>CLIENT:ENV,${variable}`);
  }

  #host(host: number): string {
    return this.traits.transport === 6 ? `2001:db8:f::${host}` : `192.0.2.${host}`;
  }

  #realAddress({ real }: Instance): string {
    const host = this.#host(real.host);
    if (this.traits.version === '2.7')
      return this.traits.transport === 6 ? `udp6:[${host}]:${real.port}` : `udp4:${host}:${real.port}`;
    return this.traits.transport === 6 ? host : `${host}:${real.port}`;
  }

  *#routeRows(): Iterable<{ readonly network: string; readonly owner: Instance }> {
    for (const [network, cid] of this.#routes) {
      const owner = this.instances.get(cid);
      if (owner !== undefined) yield { network, owner };
    }
  }

  #status3(): readonly string[] {
    const now = this.#nowSeconds;
    return [
      `TITLE\tOpenVPN ${this.traits.version}`,
      `TIME\t2026-01-01 00:00:00\t${now}`,
      'HEADER\tCLIENT_LIST\tCommon Name\tReal Address\tVirtual Address\tVirtual IPv6 Address\tBytes Received\tBytes Sent\tConnected Since\tConnected Since (time_t)\tUsername\tClient ID\tPeer ID\tData Channel Cipher',
      ...[...this.instances.values()].map((instance) =>
        [
          'CLIENT_LIST',
          nameInStatus(instance),
          this.#realAddress(instance),
          instance.addresses[0] ?? '',
          instance.addresses[1] ?? '',
          '3000',
          '3000',
          '2026-01-01 00:00:00',
          String(instance.sinceSeconds),
          this.traits.isUserNamed ? instance.name : 'UNDEF',
          String(instance.cid),
          String(instance.cid),
          'AES-256-GCM',
        ].join('\t'),
      ),
      'HEADER\tROUTING_TABLE\tVirtual Address\tCommon Name\tReal Address\tLast Ref\tLast Ref (time_t)',
      ...[...this.#routeRows()].map(({ network, owner }) =>
        ['ROUTING_TABLE', network, owner.name, this.#realAddress(owner), '2026-01-01 00:00:00', String(now)].join(
          '\t',
        ),
      ),
      'GLOBAL_STATS\tMax bcast/mcast queue length\t0',
    ];
  }

  #status1(): readonly string[] {
    return [
      'OpenVPN CLIENT LIST',
      'Updated,2026-01-01 00:00:00',
      'Common Name,Real Address,Bytes Received,Bytes Sent,Connected Since',
      ...[...this.instances.values()].map(
        (each) => `${nameInStatus(each)},${this.#realAddress(each)},3000,3000,2026-01-01 00:00:00`,
      ),
      'ROUTING TABLE',
      'Virtual Address,Common Name,Real Address,Last Ref',
      ...[...this.#routeRows()].map(
        ({ network, owner }) => `${network},${owner.name},${this.#realAddress(owner)},2026-01-01 00:00:00`,
      ),
      'GLOBAL STATS',
      'Max bcast/mcast queue length,0',
    ];
  }
}

function nameInStatus({ isConnected, wasAsked, name }: Instance): string {
  return isConnected || wasAsked ? name : 'UNDEF';
}

/** ADDRESS has a netmask where a status has a prefix length, for IPv4. */
function inEvents(network: string): string {
  const [address = '', length] = network.split('/');
  if (length === undefined || address.includes(':')) return network;
  const bits = (0xffffffff << (32 - Number(length))) >>> 0;
  return `${address}/${[24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.')}`;
}
