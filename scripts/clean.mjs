// Removes everything that a build makes: the next one starts from nothing.
import { readdirSync, rmSync } from 'node:fs';

const packages = readdirSync(new URL('../packages/', import.meta.url));
for (const path of ['dist', ...packages.map((name) => `packages/${name}/dist`)]) {
  rmSync(new URL(`../${path}`, import.meta.url), { recursive: true, force: true });
}
