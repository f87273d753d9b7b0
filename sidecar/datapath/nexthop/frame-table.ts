import { cableLinks, type Link, type Site, type Structure } from '../../../rules/index.js';
import type { PacketPath, SeenMac } from '../../firewall/firewall.js';

/** What captures frames off bridges. */
export interface FrameTable {
  /** Null if no link is a bridge. Pure. */
  readonly compile: (site: Site) => Structure | null;
  readonly firewall: Pick<PacketPath, 'seenMacs'>;
}

/** Destinations of captured frames, which ports name, as MACs on the links of their bridges; without the bridges' own. */
export function onLinks(destinations: readonly SeenMac[], links: readonly Link[]): SeenMac[] {
  const cables = cableLinks(links).filter(({ cable }) => cable.vlan === null);
  const own = new Set(cables.flatMap(({ cable: { mac, ports } }) => [mac, ...ports.map((port) => port.mac)]));
  return destinations.flatMap((seen) => {
    const link = cables.find(({ cable }) => cable.ports.some(({ device }) => device === seen.device));
    return link === undefined || own.has(seen.mac) ? [] : [{ ...seen, device: link.device }];
  });
}
