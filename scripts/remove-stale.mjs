// Removes what an earlier build made of sources that are gone: a test that was moved would run twice, and fail.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const places = [
  ...['rules', 'sidecar', 'web', 'test', 'bench'].map((name) => ({ built: `dist/${name}`, source: name })),
  ...readdirSync(path.join(root, 'packages')).map((name) => ({
    built: `packages/${name}/dist`,
    source: `packages/${name}/src`,
  })),
];
for (const { built, source } of places) {
  const folder = path.join(root, built);
  if (!existsSync(folder)) continue;
  for (const name of readdirSync(folder, { recursive: true })) {
    const match = /^(.*?)\.(?:js|d\.ts)(?:\.map)?$/.exec(name);
    if (match === null || ['ts', 'tsx'].some((type) => existsSync(path.join(root, source, `${match[1]}.${type}`))))
      continue;
    rmSync(path.join(folder, name));
  }
}
