import { dirname, resolve } from 'node:path';

import * as v from 'valibot';

import { findClashes } from './constraints.js';
import { type ConfigProblem, formatSource, showValue, type Source } from './problem.js';
import type { Origins, RawValue } from './sources.js';
import { type FlatSettings, type Setting, SETTINGS, settingOf, type SettingPath } from './table.js';

/** The result of merging all sources. */
export interface Resolved {
  /** Invalid settings have their defaults here; useless if there are problems. */
  readonly flat: FlatSettings;
  readonly origins: Origins;
  readonly problems: readonly ConfigProblem[];
}

/**
 * Checks every raw value, those too that another one overrides, and lets the last of each setting win. Pure.
 *
 * @param values in rising precedence: file, environment, flags
 * @param workingDirectory absolute; what relative paths of flags and environment are taken from
 */
export function resolveSettings(values: readonly RawValue[], workingDirectory: string): Resolved {
  const flat: Record<string, unknown> = {};
  const origins = new Map<SettingPath, Source>();
  for (const { path, default: value } of SETTINGS) {
    flat[path] = value;
    origins.set(path, { kind: 'default' });
  }

  const problems: ConfigProblem[] = [];
  for (const value of values) {
    const setting = settingOf(value.path);
    const raw = setting.decode(value.raw, value.form);
    const parsed = v.safeParse(setting.schema, raw);
    origins.set(value.path, value.source);
    if (parsed.success) {
      flat[value.path] = setting.rebase(parsed.output, baseOf(value.source, workingDirectory));
    } else {
      problems.push(...distinct(parsed.issues.map((issue) => problemOf(setting, value.source, raw, issue))));
    }
  }

  // Every row of the table is there, each with its default or with what its own schema gave.
  const typed = flat as unknown as FlatSettings;
  const faulty = new Set(problems.map((problem) => problem.path.replace(/\[\d+\]$/, '')));
  return { flat: typed, origins, problems: [...problems, ...findClashes(typed, origins, faulty)] };
}

/** A value may violate two conditions of its type; both give the same message. */
function distinct(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
}

function baseOf(source: Source, workingDirectory: string): string {
  return source.kind === 'file' ? dirname(resolve(workingDirectory, source.file)) : workingDirectory;
}

function problemOf(setting: Setting, source: Source, raw: unknown, issue: v.BaseIssue<unknown>): ConfigProblem {
  const index = issue.path?.[0].key;
  const isElement = typeof index === 'number' && Array.isArray(raw);
  const offending: unknown = isElement ? raw[index] : raw;
  return {
    path: isElement ? `${setting.path}[${index}]` : setting.path,
    source: formatSource(source),
    value: showValue(offending),
    expected: issue.type.startsWith('raw_') ? issue.message : setting.expected,
  };
}
