import { readFile } from 'node:fs/promises';

import { MODULE_ABI } from './proc.js';

/** The content of /proc/net/gwmark/config. */
export type ModuleReading =
  | { readonly state: 'absent' }
  /** Loaded, of another ABI: `firstLine` says which. */
  | { readonly state: 'foreign'; readonly firstLine: string }
  | { readonly state: 'present'; readonly isEnabled: boolean; readonly records: readonly string[] };

/** Reads without loading the module. */
export async function readModule(): Promise<ModuleReading> {
  return parseModuleConfig(await readFile('/proc/net/gwmark/config', 'utf8').catch(() => null));
}

/** @param text of the file, null if there is none */
export function parseModuleConfig(text: string | null): ModuleReading {
  if (text === null) return { state: 'absent' };
  const [firstLine = '', ...records] = text.split('\n');
  if (firstLine !== `gwmark ${MODULE_ABI}`) return { state: 'foreign', firstLine };
  return {
    state: 'present',
    isEnabled: records.includes('enabled 1'),
    records: records.filter((record) => record !== ''),
  };
}
