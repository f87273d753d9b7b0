import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { type Browser, chromium } from 'playwright-core';

import type { Namespace } from './namespace.js';
import { patient } from './wait.js';

/**
 * Debian's Chromium in a network namespace, where it reaches nothing but that. The caller closes it.
 *
 * @param directory for the script that starts it
 */
export async function openBrowser(namespace: Namespace, directory: string): Promise<Browser> {
  const script = path.join(directory, 'chromium-in-namespace');
  await writeFile(script, `#!/bin/sh\nexec ${namespace.argv(['chromium']).join(' ')} "$@"\n`, { mode: 0o755 });
  // Root has no sandbox.
  return await chromium.launch({ executablePath: script, args: ['--no-sandbox'], timeout: patient(30_000) });
}
