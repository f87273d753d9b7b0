import { readFile } from 'node:fs/promises';

/** What a unit file says that is needed to start its program by hand. */
export interface ServiceUnit {
  readonly execStart: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Every value of a key, in order. */
  readonly values: (key: string) => readonly string[];
}

/** Reads a unit file for one instance; of specifiers it knows `%i`. @see systemd.unit(5) */
export async function readUnit(file: string, instance: string): Promise<ServiceUnit> {
  const lines = (await readFile(file, 'utf8'))
    .replaceAll('%i', instance)
    .split('\n')
    .filter((line) => /^[A-Z]\w*=/.test(line));
  const values = (key: string): readonly string[] =>
    lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1));
  return {
    execStart: (values('ExecStart')[0] ?? '').split(' '),
    environment: Object.fromEntries(
      values('Environment').map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]),
    ),
    values,
  };
}
