import { Decoder, parseStatus1, parseStatus3, type Message, type Notification } from 'openvpn-management-client';
import type { ClientNetwork } from '../../../../rules/index.js';
import { networkKey } from '../../../../rules/index.js';
import type { Logger } from '../../../../sidecar/log/logger.js';
import { EarlyMessages } from '../../../../sidecar/openvpn/early-messages.js';
import { isRestart } from '../../../../sidecar/openvpn/openvpn-state.js';
import { ClientNetworks } from '../../../../sidecar/sessions/client-networks.js';
import { FormerOwners } from '../../../../sidecar/sessions/former-owners.js';
import { SessionNetworks } from '../../../../sidecar/sessions/session-networks.js';
import { type SessionChange, SessionTable } from '../../../../sidecar/sessions/session-table.js';
import type { OpenVpnServer, Written } from './openvpn-server.js';

const DEVICE = 'tun0';

const SILENT: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => SILENT,
};

/**
 * The sidecar's picture of the clients of a {@link OpenVpnServer}: the same objects in the same order as an instance
 * uses them, without sockets and timers.
 */
export class Follower implements Disposable {
  readonly table = new SessionTable();
  readonly networks: ClientNetworks;
  /** Networks whose connections were cut off since they were looked at last. */
  readonly cutOff = new Set<string>();
  readonly #server: OpenVpnServer;
  readonly #former: FormerOwners;
  readonly #sessionNetworks: SessionNetworks;
  #decoder = new Decoder();
  #epoch = 1;
  #sequence = 0;
  #read = 0;
  #connectedAt: number | null = null;
  readonly #early = new EarlyMessages();

  constructor(server: OpenVpnServer) {
    this.#server = server;
    const cut = (networks: readonly ClientNetwork[]): void => {
      for (const network of networks) this.cutOff.add(networkKey(network));
    };
    this.#former = new FormerOwners({ holdMs: 60_000, max: 4, onGivenUp: cut, now: () => 0 });
    this.networks = new ClientNetworks({ former: this.#former, onHandedOver: cut });
    this.#sessionNetworks = new SessionNetworks({
      clients: this.networks,
      logger: SILENT,
      onChanged: (key) => {
        if (this.networks.get(key) === null && !this.#former.holds(key)) this.cutOff.add(key);
      },
    });
    this.#sessionNetworks.setDevice(DEVICE);
  }

  [Symbol.dispose](): void {
    this.#former[Symbol.dispose]();
  }

  get isAttached(): boolean {
    return this.#server.isAttached;
  }

  /** The states of the past were read on this connection. */
  hasHistory = false;

  /** True between the banner and the first snapshot of a connection. */
  get isPreparing(): boolean {
    return this.#early.isHolding;
  }

  /** Networks that clients have. */
  keys(): ReadonlySet<string> {
    return new Set([...this.networks.list()].map(networkKey));
  }

  attach(): void {
    this.#server.isAttached = true;
    this.#read = this.#server.written.length;
    this.#decoder = new Decoder();
    this.#early.reset();
    this.hasHistory = false;
  }

  /** `state on all`: everything that was written before its answer has been read. */
  askHistory(): void {
    this.read();
    this.#early.dropTold(this.#sequence);
    this.table.forgetGone();
    const { connectedAtSeconds } = this.#server;
    if (this.#connectedAt !== null && this.#connectedAt !== connectedAtSeconds) this.#beginEpoch();
    this.#connectedAt = connectedAtSeconds;
    this.hasHistory = true;
  }

  /** The connection is lost, with whatever was not read of it. */
  detach(): void {
    this.#server.isAttached = false;
    this.#early.reset();
    this.#read = this.#server.written.length;
  }

  /** Reads so many items of what the server wrote, by default all; `look` is called after each. */
  read(count = Infinity, look: (item: Written) => void = () => undefined): void {
    for (let done = 0; done < count; done += 1) {
      const item = this.#server.written[this.#read];
      if (item === undefined) return;
      this.#read += 1;
      if (item.kind === 'status') this.#takeStatus(item);
      else
        for (const message of this.#decoder.push(Buffer.from(item.lines.join('')))) {
          this.#sequence += 1;
          if (isNotification(message)) this.#receive(message);
        }
      look(item);
    }
  }

  #receive(message: Notification): void {
    const origin = { epoch: 1, sequence: this.#sequence, receivedAtMs: 0 };
    if (!this.#early.keep(message, origin)) this.#take(message, this.#sequence);
  }

  #take(message: Notification, seq: number): void {
    if (message.kind === 'state' && isRestart(message.name)) {
      this.#connectedAt = null;
      this.#beginEpoch();
    } else if (message.kind === 'state') this.#connectedAt = message.timeSeconds;
    this.#apply(this.table.handle(message, { epoch: this.#epoch, seq }, new Date(0)));
  }

  #takeStatus({ lines, form }: Written): void {
    this.#sequence += lines.length + 1;
    const status = form === 3 ? parseStatus3(lines) : parseStatus1(lines);
    for (const { message, origin } of this.#early.takeUpTo(this.#sequence)) this.#take(message, origin.sequence);
    this.#apply(this.table.snapshot(status, { epoch: this.#epoch, seq: this.#sequence }, new Date(0)));
    for (const { message, origin } of this.#early.release()) this.#take(message, origin.sequence);
  }

  #beginEpoch(): void {
    this.#epoch += 1;
    this.#apply(this.table.clear('epoch'));
  }

  #apply(changes: readonly SessionChange[]): void {
    for (const change of changes) this.#sessionNetworks.apply(change);
  }
}

function isNotification(message: Message): message is Notification {
  return !['line', 'success', 'error', 'end', 'password-prompt'].includes(message.kind);
}
