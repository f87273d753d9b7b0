import type { Policy } from '../../rules/index.js';
import type { Settings } from '../config/settings.js';
import { readVersion } from '../config/version.js';
import { plainInForce } from '../control/settings-in-force.js';
import type { Kernel } from '../kernel/kernel.js';
import { statusOf } from '../openvpn/instance-status.js';
import type { Servers } from '../openvpn/servers.js';
import type { Sources } from '../sources/sources.js';
import type { Holds } from '../sessions/holds.js';
import type { StatusDocument } from '../status.js';
import { readNetworkNamespace } from '../system/network-namespace.js';

/** A part of the daemon whose failure stops traffic. */
interface Watched {
  /** In a sentence; null when all is well. */
  readonly problem: string | null;
}

export interface StatusParts {
  readonly settings: () => Settings;
  readonly policy: Policy;
  readonly firewall: StatusDocument['firewall'];
  readonly kernel: Kernel;
  readonly servers: Servers;
  readonly sources: Sources;
  readonly holds: Holds;
}

/** Puts the status document together, from the parts of a daemon that started now. */
export class StatusBuilder {
  readonly #parts: StatusParts;
  readonly #version = readVersion();
  readonly #startedAt = new Date().toISOString();
  readonly #networkNamespace = readNetworkNamespace();

  constructor(parts: StatusParts) {
    this.#parts = parts;
  }

  /** Pure: combines what each part knows. */
  build(): StatusDocument {
    const { settings, policy, firewall, kernel, servers, sources, holds } = this.#parts;
    const { gateways, reconciler, repairs, reachability, announcer } = kernel;
    const { fallThrough, module } = gateways.counters;
    const problems = this.problems();
    const instances = servers.list.map(statusOf);
    return {
      version: this.#version,
      datapath: kernel.kind,
      firewall,
      ready: problems.length === 0,
      problems,
      servers: instances.map(({ server }) => server),
      clients: instances.flatMap(({ clients }) => clients),
      ...sources.status(),
      holds: holds.list().map(({ name, server, untilMs }) => ({
        commonName: name,
        management: server,
        until: new Date(untilMs).toISOString(),
      })),
      unreachable: reachability.list(),
      announcements: settings().announce === 'proxy' ? announcer.status() : null,
      offload: kernel.offload.status,
      gateways: gateways.status(),
      sourceLists: kernel.sources.status(),
      answers: kernel.answers.status(),
      uplink: gateways.uplinkId,
      vacancies: gateways.ofSite.vacancies?.length ?? 0,
      startedAt: this.#startedAt,
      repairs: repairs.repairs,
      fallThrough: Object.fromEntries(fallThrough),
      moduleCounters: module === null ? null : Object.fromEntries(module),
      elements: reconciler.elements,
      appliedPass: reconciler.appliedPass,
      markMask: policy.markMask,
      settings: plainInForce(settings()),
      networkNamespace: this.#networkNamespace,
    };
  }

  /** One line, for `systemctl status`: without the list of clients. */
  summary(): string {
    const { kernel, sources } = this.#parts;
    const problems = this.problems();
    if (problems.length > 0) return `not ready: ${problems.join('; ')}`;
    const clients = sources.clientCount;
    return `ready, datapath ${kernel.kind}: ${clients} clients, ${kernel.gateways.status().length} gateways`;
  }

  /** Why traffic of the VPN is not carried, one sentence each; empty when it is. */
  problems(): readonly string[] {
    const { kernel, servers, sources } = this.#parts;
    const {
      datapath,
      gateways,
      reconciler,
      repairs,
      tableRepairs,
      routingRepairs,
      forwarder,
      filters,
      cards,
      announcer,
    } = kernel;
    const uplink = { problem: uplinkProblem(servers.uplinkNeed, gateways.uplinkId) };
    const watched: readonly Watched[] = [
      datapath,
      reconciler,
      repairs,
      tableRepairs,
      routingRepairs,
      forwarder,
      uplink,
      filters,
      cards,
      announcer,
    ];
    const problems = [...watched.flatMap(({ problem }) => problem ?? []), ...sources.problems];
    return reconciler.isSettled || problems.length > 0 ? problems : ['the first rules are not installed yet'];
  }
}

function uplinkProblem(need: Servers['uplinkNeed'], uplink: number | null): string | null {
  return need === 'seeking' && uplink === null
    ? "no router is known for the OpenVPN client's packets: a router has to send to this endpoint first, or set uplink"
    : null;
}
