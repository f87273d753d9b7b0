import type { NftObject } from 'nftables-json';

/** A flowtable of another program: flows that it takes pass neither hooks nor routing. */
export interface ForeignFlowtable {
  /** `nftables flowtable inet fw4 ft`. */
  readonly where: string;
  /** The devices whose packets it handles. */
  readonly devices: readonly string[];
}

/** Flowtables in other programs' tables that include one of these devices. Pure. */
export function foreignFlowtables(
  objects: readonly NftObject[],
  ourTable: string,
  devices: readonly string[],
): readonly ForeignFlowtable[] {
  return objects.flatMap((object) => {
    if (!('flowtable' in object) || object.flowtable.table === ourTable) return [];
    const { family, table, name, dev = [] } = object.flowtable;
    const held = (typeof dev === 'string' ? [dev] : dev).filter((device) => devices.includes(device));
    return held.length === 0 ? [] : [{ where: `nftables flowtable ${family} ${table} ${name}`, devices: held }];
  });
}
