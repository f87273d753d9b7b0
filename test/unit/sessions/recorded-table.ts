import type { Notification, StatusSnapshot } from 'openvpn-management-client';
import type { GoneReason, SessionChange } from '../../../sidecar/sessions/session-table.js';
import { SessionTable } from '../../../sidecar/sessions/session-table.js';

/** A session table that is fed one message after the other, as one connection would. */
export class RecordedTable {
  readonly table = new SessionTable();
  /** What changed so far, in words: `+ 1 10.8.0.2/32`, `gone 1 disconnect`. */
  readonly changes: string[] = [];
  #epoch = 1;
  #seq = 0;

  /** The number of the last message. */
  get seq(): number {
    return this.#seq;
  }

  /** Takes messages in this order. */
  hear(...messages: readonly Notification[]): this {
    for (const message of messages) {
      this.#seq += 1;
      this.#note(this.table.handle(message, { epoch: this.#epoch, seq: this.#seq }, new Date(0)));
    }
    return this;
  }

  /** Takes a snapshot that began after message `seq`, by default the last one. */
  see(status: StatusSnapshot, seq = this.#seq): this {
    this.#note(this.table.snapshot(status, { epoch: this.#epoch, seq }, new Date(0)));
    return this;
  }

  /** OpenVPN restarted: CIDs start at 0. */
  restart(): this {
    this.#epoch += 1;
    return this;
  }

  clear(why: GoneReason): this {
    this.#note(this.table.clear(why));
    return this;
  }

  /** Who is connected: CID, and addresses in the order in which they came. */
  get connected(): Readonly<Record<string, readonly string[]>> {
    return Object.fromEntries([...this.table.list()].map(({ cid, addresses }) => [cid, [...addresses.keys()]]));
  }

  #note(changes: readonly SessionChange[]): void {
    for (const change of changes) {
      const { cid } = change.session;
      if (change.kind === 'connected') this.changes.push(`connected ${cid}`);
      else if (change.kind === 'gone') this.changes.push(`gone ${cid} ${change.why}`);
      else this.changes.push(`${change.kind === 'address-added' ? '+' : '-'} ${cid} ${change.address.cidr}`);
    }
  }
}
