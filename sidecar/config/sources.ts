import { didYouMean } from './did-you-mean.js';
import { CONFIG_ENV } from './file-name.js';
import type { RawForm } from './setting-types.js';
import type { ConfigProblem, Source } from './problem.js';
import { SETTINGS, type SettingPath } from './table.js';

/** A value as a source gave it, not checked yet. */
export interface RawValue {
  readonly path: SettingPath;
  readonly raw: unknown;
  readonly form: RawForm;
  readonly source: Source;
}

/** The values of one source. */
export interface RawValues {
  readonly values: readonly RawValue[];
  readonly problems: readonly ConfigProblem[];
}

/** Where the value of each setting came from. */
export type Origins = ReadonlyMap<SettingPath, Source>;

/** Kubernetes and docker links put such variables into every container beside a service called gwmark. */
const SERVICE_LINK = /_SERVICE_(?:HOST|PORT)(?:_\w+)?$|_PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)?$|_(?:NAME|ENV_\w+)$/;

/** Reads the `GWMARK_` variables. An empty one counts as unset; an unknown one is a problem. */
export function envValues(env: Readonly<Record<string, string | undefined>>): RawValues {
  const known = new Map(SETTINGS.map((setting) => [setting.env, setting.path]));
  const values: RawValue[] = [];
  const problems: ConfigProblem[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('GWMARK_') || name === CONFIG_ENV || text === undefined || text === '') continue;
    const path = known.get(name);
    if (path !== undefined) {
      values.push({ path, raw: text, form: 'text', source: { kind: 'env', name } });
    } else if (!SERVICE_LINK.test(name)) {
      const meant = didYouMean(name, [...known.keys(), CONFIG_ENV]);
      problems.push({ path: name, source: 'environment', value: null, expected: unknownName('variable', meant) });
    }
  }
  return { values, problems };
}

/** Takes the flags that were given: text, or a list of texts where a flag was repeated. */
export function flagValues(flags: ReadonlyMap<SettingPath, string | readonly string[]>): RawValues {
  const values = SETTINGS.flatMap(({ path, flag }): readonly RawValue[] => {
    const raw = flags.get(path);
    return raw === undefined ? [] : [{ path, raw, form: 'text', source: { kind: 'flag', flag } }];
  });
  return { values, problems: [] };
}

/** Completes "expected ..." for an unknown name. */
export function unknownName(noun: string, meant: string | undefined): string {
  return meant === undefined ? `a known ${noun}` : `a known ${noun}; did you mean "${meant}"?`;
}
