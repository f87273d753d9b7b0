import assert from 'node:assert/strict';

import { formatNetwork } from '../../rules/index.js';
import { orderKick } from '../../sidecar/control/client.js';
import { GwmarkError } from '../../sidecar/errors.js';
import type { StatusDocument } from '../../sidecar/status.js';
import { canonical, clientElements } from './client-elements.js';
import type { Crowd, Place } from './crowd.js';
import type { Random } from './random.js';
import { eventually, patient } from './wait.js';

/** What can happen to a client that runs, the more often the more often it is here. */
const EVENTS = ['leave', 'crash', 'roam', 'roam', 'reconnect', 'take over', 'kick', 'hold'] as const;

export type CrowdEvent = (typeof EVENTS)[number] | 'connect';

/** So many may be connecting at a time. */
const MOST_BUSY = 12;

/** The life of a crowd: clients connect, roam, leave, crash, are kicked and take one another over, as a seed says. */
export class CrowdLife {
  /** How often each event happened. */
  readonly counts = new Map<CrowdEvent, number>();
  readonly #crowd: Crowd;
  readonly #random: Random;

  constructor(crowd: Crowd, random: Random) {
    this.#crowd = crowd;
    this.#random = random;
  }

  /** One event. Waits while too many are connecting. */
  async step(): Promise<void> {
    const { places } = this.#crowd;
    await eventually(() => places.filter(({ busy }) => busy !== null).length < MOST_BUSY, {
      what: 'clients that connect',
      timeoutMs: 60_000,
    });
    const free = places.filter(({ busy }) => busy === null);
    const away = free.filter(({ isRunning }) => !isRunning);
    const running = free.filter(({ isRunning }) => isRunning);
    // Most of them are there most of the time.
    if (running.length === 0 || (away.length > 0 && this.#random.below(3) === 0))
      await this.#connect(this.#random.pick(away));
    else await this.#happen(this.#random.pick(EVENTS), this.#random.pick(running), away);
  }

  /** Connects everybody. */
  async fill(): Promise<void> {
    for (const place of this.#crowd.places) {
      await eventually(() => this.#crowd.places.filter(({ busy }) => busy !== null).length < MOST_BUSY, {
        what: 'clients that connect',
        timeoutMs: 60_000,
      });
      if (!place.isRunning) await this.#connect(place);
    }
  }

  /**
   * Nothing happens until the kernel has exactly what OpenVPN says, twice in a row, and the sidecar says the same of each
   * client. Resolves with how many clients there are.
   */
  async checkpoint(): Promise<number> {
    const { places, sidecar } = this.#crowd;
    await Promise.all(places.flatMap(({ busy }) => busy ?? []));
    await sidecar.statusWhere(
      ({ clients, holds = [] }) => holds.length === 0 && clients.every(({ isKicked }) => isKicked !== true),
      'nobody is kicked or kept out',
      30_000,
    );
    let agreedAt: string | null = null;
    return await eventually(
      async () => {
        const told = await this.#crowd.status();
        if (told === null || told.time === agreedAt) return false;
        const { clients } = told.snapshot;
        const wanted = clients.flatMap(({ addresses, subnets }) => [...addresses, ...subnets].map(formatNetwork));
        assert.deepEqual(await clientElements(this.#crowd.endpoint), [...new Set(wanted)].toSorted());
        const known = await sidecar.status();
        assert.deepEqual(
          known.clients.map(describe).toSorted(),
          clients
            .filter(({ hasAddress }) => hasAddress)
            .map(({ cid, commonName = '', realAddressText, addresses, subnets }) =>
              [cid, commonName, realAddressText, ...[...addresses, ...subnets].map(formatNetwork).toSorted()].join(
                ' ',
              ),
            )
            .toSorted(),
        );
        const isSecond = agreedAt !== null;
        agreedAt = told.time;
        return isSecond && { count: known.clients.length };
      },
      { what: 'the kernel, the sidecar and OpenVPN agree', timeoutMs: 40_000, intervalMs: 100 },
    ).then(({ count }) => count);
  }

  #count(event: CrowdEvent): void {
    this.counts.set(event, (this.counts.get(event) ?? 0) + 1);
  }

  /** A name that nobody has now. */
  async #connect(place: Place): Promise<void> {
    const used = new Set(this.#crowd.places.filter(({ isRunning }) => isRunning).map(nameOf));
    this.#count('connect');
    await this.#crowd.launch(place, this.#random.pick(this.#crowd.names.filter((name) => !used.has(name))));
  }

  async #happen(event: (typeof EVENTS)[number], place: Place, away: readonly Place[]): Promise<void> {
    const { client } = place;
    if (client === null) return;
    const from = client.process.lines.length;
    switch (event) {
      case 'leave':
        place.busy = client.stop().finally(() => {
          place.busy = null;
        });
        break;
      case 'crash':
        client.process.kill('SIGKILL');
        await client.process.exited;
        break;
      case 'roam':
        await place.roam();
        break;
      case 'reconnect':
        client.process.kill('SIGUSR1');
        this.#crowd.expectConnection(place, from);
        break;
      case 'take over': {
        if (away.length === 0) return;
        const other = this.#random.pick(away);
        await this.#crowd.launch(other, nameOf(place));
        const taken = this.#endTakenOver(place, other);
        // The next checkpoint gets the error.
        taken.catch(() => undefined);
        place.busy = taken;
        other.busy = taken;
        break;
      }
      case 'kick':
      case 'hold':
        await this.#kick(place, from, event === 'hold' ? 2 : null);
        break;
      default:
        event satisfies never;
    }
    this.#count(event);
  }

  /** OpenVPN drops the first of a name when the second is connected; the first would take the name back. */
  async #endTakenOver(first: Place, second: Place): Promise<void> {
    await second.busy;
    first.client?.process.kill('SIGKILL');
    await first.client?.process.exited;
    first.busy = null;
    second.busy = null;
  }

  async #kick(place: Place, from: number, holdSeconds: number | null): Promise<void> {
    const order = {
      client: nameOf(place),
      server: null,
      isAll: false,
      message: null,
      isHalt: false,
      holdSeconds,
    };
    const kicked = new Set<string>();
    try {
      const { clients } = await orderKick(this.#crowd.sidecar.controlSocket, order, { timeoutMs: patient(15_000) });
      for (const { cid } of clients) kicked.add(cid);
      // The one of this name that crashed elsewhere may still be there for OpenVPN, and this one not yet for the sidecar.
      if (!clients.some(({ realAddress }) => realAddress?.includes(`${place.address}:`) === true)) return;
    } catch (error) {
      // It is not known yet, or not any more: a crash, or an address that OpenVPN has not heard from.
      if (error instanceof GwmarkError && error.code === 'CLIENT_UNKNOWN') return;
      throw error;
    }
    this.#crowd.expectKicked(place, from, kicked);
  }
}

function nameOf({ client }: Place): string {
  return client?.options.identity.commonName ?? '';
}

function describe({ cid, commonName, realAddress, addresses }: StatusDocument['clients'][number]): string {
  return [cid, commonName, realAddress, ...addresses.map(canonical).toSorted()].join(' ');
}
