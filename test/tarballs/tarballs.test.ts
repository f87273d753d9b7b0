import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

import { exec, LabProcess, tryExec } from '../lab/process.js';
import { patient } from '../lab/wait.js';
import { PROGRAMS } from './programs.js';

/** Compiled files lie in dist/test/tarballs. */
const CHECKOUT = fileURLToPath(new URL('../../../', import.meta.url));

const PACKAGES = ['gwmark', 'iptables-wrapper', 'nftables-json', 'openvpn-management-client'] as const;

/** Strict, and with a look into every declaration that is shipped, as the most careful user would compile. */
const TSCONFIG = {
  compilerOptions: {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    module: 'nodenext',
    moduleResolution: 'nodenext',
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    types: ['node'],
    typeRoots: [path.join(CHECKOUT, 'node_modules/@types')],
  },
};

/** What a module imports or exports again, also in a file without line breaks. */
const IMPORT = /(?:^|;)\s*(?:import|export)\b[^'"();=]*?["']([^"']+)["']/gm;

/** What a server on a unix socket answers. @throws AssertionError unless it is 200 */
async function get(socketPath: string, url: string): Promise<string> {
  const outgoing = request({ socketPath, path: url, agent: false });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const body = await text(response);
  assert.equal(response.statusCode, 200, `${url}: ${body}`);
  return body;
}

describe('the npm tarballs, installed into an empty folder', function () {
  this.timeout(patient(180_000));
  let folder: string;
  let contents: ReadonlyMap<string, readonly string[]>;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'gwmark-tarballs-'));
    await exec(
      [
        'npm',
        'pack',
        '--silent',
        '--pack-destination',
        folder,
        CHECKOUT,
        ...PACKAGES.slice(1).map((name) => path.join(CHECKOUT, 'packages', name)),
      ],
      { timeoutMs: 60_000 },
    );
    const tarballs = (await readdir(folder))
      .filter((name) => name.endsWith('.tgz'))
      .map((name) => path.join(folder, name));
    assert.equal(tarballs.length, PACKAGES.length);
    contents = new Map(
      await Promise.all(
        tarballs.map(
          async (tarball) => [nameOf(tarball), (await exec(['tar', '-tzf', tarball])).trim().split('\n')] as const,
        ),
      ),
    );
    await writeFile(
      path.join(folder, 'package.json'),
      JSON.stringify({ name: 'empty', version: '1.0.0', private: true, type: 'module' }),
    );
    await exec(['npm', 'install', '--prefix', folder, '--prefer-offline', '--no-audit', '--no-fund', ...tarballs], {
      timeoutMs: 150_000,
    });
  });
  after(async () => {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  it('hold a licence, a README and compiled code, and neither sources nor what a build leaves behind', () => {
    for (const name of PACKAGES) {
      const files = contents.get(name) ?? [];
      for (const needed of ['package/LICENSE', 'package/README.md', 'package/package.json'])
        assert.ok(files.includes(needed), `${name}: ${needed}`);
      assert.deepEqual(
        files.filter((file) => /tsbuildinfo|\.map$|(?<!\.d)\.ts$|\.test\./.test(file)),
        [],
        name,
      );
    }
  });

  it('hold the manual pages that man(1) finds after npm install -g', async () => {
    const pages = (await readdir(path.join(CHECKOUT, 'docs/man'))).map((file) => `docs/man/${file}`).toSorted();

    assert.deepEqual(((await manifestOf('gwmark'))['man'] as readonly string[]).toSorted(), pages);
    assert.deepEqual(
      (contents.get('gwmark') ?? []).filter((file) => file.includes('/man/')).toSorted(),
      pages.map((file) => `package/${file}`),
    );
  });

  it('say where the source is, which licence holds, and which Node.js they need', async () => {
    for (const name of PACKAGES) {
      const manifest = await manifestOf(name);
      assert.equal(manifest['license'], 'MIT', name);
      assert.deepEqual(
        Object.keys(manifest)
          .filter((key) => ['repository', 'keywords', 'engines', 'description'].includes(key))
          .toSorted(),
        ['description', 'engines', 'keywords', 'repository'],
        name,
      );
      const ranges = Object.values((manifest['dependencies'] ?? {}) as Record<string, string>);
      assert.deepEqual(
        ranges.filter((range) => !/^\^\d/.test(range)),
        [],
        `${name}: dependencies that are no semver range`,
      );
    }
  });

  it('run gwmark', async () => {
    const { version } = await manifestOf('gwmark');

    assert.equal((await exec([path.join(folder, 'node_modules/.bin/gwmark'), '--version'])).trim(), version);
    assert.match(await exec([path.join(folder, 'node_modules/.bin/gwmark'), 'run', '--help']), /Usage: gwmark run/);
  });

  it('serve every file of the page of gwmark web, and all that these import', async () => {
    const socket = path.join(folder, 'web.sock');
    await using web = LabProcess.spawn(
      [path.join(folder, 'node_modules/.bin/gwmark'), 'web', '--listen', `unix:${socket}`],
      {
        name: 'gwmark web',
      },
    );
    await web.waitFor(/^serving on /);
    const html = await get(socket, '/');
    const imports = (
      JSON.parse(/<script type="importmap">(.*?)<\/script>/.exec(html)?.[1] ?? '') as {
        readonly imports: Readonly<Record<string, string>>;
      }
    ).imports;

    const known = new Set(['/style.css', '/web/main.js']);
    for (const file of known) {
      const source = await get(socket, file);
      for (const [, wanted = ''] of source.matchAll(IMPORT))
        known.add(imports[wanted] ?? new URL(wanted, `http://x${file}`).pathname);
    }

    assert.ok(known.has('/sidecar/live/message.js') && known.has('/lib/preact.js'), [...known].join(' '));
  });

  for (const [name, { source, prints }] of Object.entries(PROGRAMS)) {
    it(`give a program of ten lines what it needs of ${name}, types included`, async () => {
      const file = `${name}.ts`;
      await writeFile(path.join(folder, file), source);
      await writeFile(path.join(folder, `${name}.json`), JSON.stringify({ ...TSCONFIG, files: [file] }));

      const compiled = await tryExec(
        [path.join(CHECKOUT, 'node_modules/.bin/tsc'), '-p', path.join(folder, `${name}.json`)],
        { timeoutMs: 60_000 },
      );
      assert.equal(compiled.code, 0, compiled.stdout + compiled.stderr);
      // A network namespace of its own: whatever it does to a firewall ends with it.
      const ran = await tryExec(['unshare', '-n', process.execPath, path.join(folder, `${name}.js`)]);

      assert.equal(ran.code, 0, ran.stdout + ran.stderr);
      assert.equal(ran.stdout, prints);
    });
  }

  it('keep fakes out of what a program imports by default', async () => {
    for (const name of PACKAGES.slice(1)) {
      const main = await exec([
        process.execPath,
        '--input-type=module',
        '-e',
        `console.log(Object.keys(await import(${JSON.stringify(path.join(folder, 'node_modules', name, 'dist/index.js'))})).join(' '))`,
      ]);
      assert.doesNotMatch(main, /fake|scripted/i, name);
      const testing = await exec([
        process.execPath,
        '--input-type=module',
        '-e',
        `console.log(Object.keys(await import(${JSON.stringify(path.join(folder, 'node_modules', name, 'dist/testing/index.js'))})).join(' '))`,
      ]);
      assert.match(testing, /Fake/, name);
    }
  });

  async function manifestOf(name: string): Promise<Record<string, unknown>> {
    // The parse border: npm made the file.
    return JSON.parse(await readFile(path.join(folder, 'node_modules', name, 'package.json'), 'utf8')) as Record<
      string,
      unknown
    >;
  }
});

function nameOf(tarball: string): string {
  return path.basename(tarball).replace(/-\d+\.\d+\.\d+.*\.tgz$/, '');
}
