import { readFileSync } from 'node:fs';

/** The version of this program, from its package.json. Compiled files lie in dist/sidecar/config. */
export function readVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  const manifest = JSON.parse(text) as { readonly version?: unknown };
  return typeof manifest.version === 'string' ? manifest.version : 'unknown';
}
