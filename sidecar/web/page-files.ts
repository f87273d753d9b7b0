import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import type { Answer } from '../http/listener.js';

// Compiled files are in dist/sidecar/web, beside dist/web; the other files of the page are not compiled.
const DIST = new URL('../../', import.meta.url);
const SOURCE = new URL('../web/', DIST);

/** Where the browser finds a package that the page imports by name. */
const PACKAGES: Readonly<Record<string, string>> = {
  preact: '/lib/preact.js',
  'preact/hooks': '/lib/hooks.js',
  'preact/jsx-runtime': '/lib/jsx-runtime.js',
};
/** What the page shares with the command line; it is free of Node. */
const SHARED = ['connected', 'event-stream', 'format-bytes', 'measure', 'message'];
const PAGE = ['main', 'app', 'events', 'format', 'panels', 'picture', 'remote', 'tables', 'topology', 'use-live'];

const IMPORT_MAP = JSON.stringify({ imports: PACKAGES });

/** No request leaves for another host, and no other page may show this one. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': `default-src 'none'; script-src 'self' 'sha256-${createHash('sha256').update(IMPORT_MAP).digest('base64')}'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

const FILES = new Map<string, { readonly file: URL; readonly type: string }>([
  ['/style.css', { file: new URL('style.css', SOURCE), type: 'text/css' }],
  ...PAGE.map((name) => [`/web/${name}.js`, script(new URL(`web/${name}.js`, DIST))] as const),
  ...SHARED.map((name) => [`/sidecar/live/${name}.js`, script(new URL(`sidecar/live/${name}.js`, DIST))] as const),
  ...Object.entries(PACKAGES).map(([name, path]) => [path, script(new URL(import.meta.resolve(name)))] as const),
]);

/** A file of the page: it has no data, so it needs no token. Null for any other path. */
export async function pageFile(path: string): Promise<Answer | null> {
  if (path === '/') {
    const html = await readFile(new URL('index.html', SOURCE), 'utf8');
    return answer(
      'text/html',
      html.replace(/\s*IMPORT_MAP\s*/, () => IMPORT_MAP),
    );
  }
  const found = FILES.get(path);
  if (found === undefined) return null;
  const text = await readFile(fileURLToPath(found.file), 'utf8');
  // The map of a package is not served.
  return answer(found.type, text.replace(/^\/\/# sourceMappingURL=.*$/m, ''));
}

/** What every answer has. */
export function secured<Page extends object>(
  page: Page,
): Page & { readonly headers: Readonly<Record<string, string>> } {
  return { ...page, headers: HEADERS };
}

function script(file: URL): { readonly file: URL; readonly type: string } {
  return { file, type: 'text/javascript' };
}

function answer(type: string, body: string): Answer {
  return { status: 200, type: `${type}; charset=utf-8`, body };
}
