import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { CHECKOUT, debianRoot, type Suite } from '../compose/roots.js';
import type { Namespace } from '../lab/namespace.js';
import { exec, type ExecOptions, type ExecResult, tryExec } from '../lab/process.js';

/** Mounts what programs expect, in a mount namespace of the command alone, so that nothing is ever left mounted. */
const ENTER = `
root=$1; shared=$2; shift 2
mount -t proc proc "$root/proc"
if [ -n "$shared" ]; then mkdir -p "$root$shared" && mount --bind "$shared" "$root$shared"; fi
exec chroot "$root" "$@"`;

/** Where packages put what is no file of theirs, or what changes with every installation of anything. */
const NOISE = [
  './var/lib/dpkg',
  './var/lib/apt',
  './var/cache',
  './var/log',
  './var/lib/systemd',
  './tmp',
  './run',
  './proc',
  './sys',
  './etc/ld.so.cache',
];

/** The path of a package that scripts/package-deb.sh built. */
export async function builtPackage(name: string): Promise<string> {
  const directory = path.join(CHECKOUT, 'dist/deb');
  const file = (await readdir(directory)).find((entry) => entry.startsWith(`${name}_`));
  if (file === undefined) throw new Error(`no ${name} in ${directory}`);
  return path.join(directory, file);
}

/** A clean Debian in a directory. Disposal removes it. */
export class DebianRoot implements AsyncDisposable {
  readonly suite: Suite;
  readonly directory: string;
  readonly #top: string;

  private constructor(suite: Suite, top: string) {
    this.suite = suite;
    this.#top = top;
    this.directory = path.join(top, 'root');
  }

  static async create(suite: Suite): Promise<DebianRoot> {
    return await DebianRoot.unpack(suite, await debianRoot(suite));
  }

  /** A root out of a tar file of one. */
  static async unpack(suite: Suite, tar: string): Promise<DebianRoot> {
    const root = new DebianRoot(suite, await mkdtemp(path.join(tmpdir(), `gwmark-root-${process.pid}-`)));
    await mkdir(root.directory);
    await exec(['tar', '-C', root.directory, '-xf', tar], { timeoutMs: 600_000 });
    await copyFile('/etc/resolv.conf', path.join(root.directory, 'etc/resolv.conf'));
    // No service is started in a root without PID 1.
    await writeFile(path.join(root.directory, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    return root;
  }

  /**
   * The argument list that runs `argv` in the root; `shared` is a directory of this machine that is seen there under
   * its own name.
   */
  argv(argv: readonly string[], shared = ''): string[] {
    return [
      'unshare',
      '--mount',
      '--propagation',
      'private',
      'sh',
      '-e',
      '-c',
      ENTER,
      'sh',
      this.directory,
      shared,
      ...argv,
    ];
  }

  /** Runs a command in the root, in the network of this machine; rejects unless it exits with 0. */
  async run(...argv: readonly string[]): Promise<string> {
    return await exec(this.argv(argv), OPTIONS);
  }

  /** Runs a command in the root and in a network namespace; resolves with its outcome, whatever that is. */
  async tryIn(namespace: Namespace, argv: readonly string[], shared = ''): Promise<ExecResult> {
    return await tryExec(namespace.argv(this.argv(argv, shared)), OPTIONS);
  }

  /** Installs packages by name or by the path of a file in the root, with what they depend on. */
  async install(...packages: readonly string[]): Promise<void> {
    await this.run('apt-get', 'update', '-q');
    await this.run('apt-get', 'install', '-y', '-q', '--no-install-recommends', ...packages);
  }

  /** Puts files of this machine into the root's /tmp and returns their paths there. */
  async bring(...files: readonly string[]): Promise<string[]> {
    return await Promise.all(
      files.map(async (file) => {
        const inside = `/tmp/${path.basename(file)}`;
        await copyFile(file, path.join(this.directory, inside));
        return inside;
      }),
    );
  }

  /** Every path in the root but for the noise of package management. */
  async paths(): Promise<readonly string[]> {
    const prune = NOISE.flatMap((place, index) => [...(index === 0 ? [] : ['-o']), '-path', place]);
    const text = await exec(
      ['sh', '-c', 'cd "$1" && shift && find . \\( "$@" \\) -prune -o -print', 'sh', this.directory, ...prune],
      { timeoutMs: 300_000 },
    );
    return text.trim().split('\n').toSorted();
  }

  /**
   * Debian 12 has Node 18, so gwmark needs one from elsewhere there. This is it: a package of the same name as the
   * usual ones, with the node that runs this test.
   */
  async installNode(): Promise<void> {
    const tree = path.join(this.#top, 'nodejs');
    await mkdir(path.join(tree, 'DEBIAN'), { recursive: true });
    await mkdir(path.join(tree, 'usr/bin'), { recursive: true });
    await copyFile(process.execPath, path.join(tree, 'usr/bin/node'));
    const architecture = (await this.run('dpkg', '--print-architecture')).trim();
    await writeFile(
      path.join(tree, 'DEBIAN/control'),
      [
        'Package: nodejs',
        `Version: ${process.versions.node}-1`,
        `Architecture: ${architecture}`,
        'Maintainer: test <test@localhost>',
        'Depends: libc6, libstdc++6',
        'Description: node of this machine',
        '',
      ].join('\n'),
    );
    const file = path.join(this.#top, 'nodejs.deb');
    await exec(['dpkg-deb', '-Znone', '--root-owner-group', '--build', tree, file], OPTIONS);
    await this.install(...(await this.bring(file)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#top, { recursive: true, force: true });
  }
}

const OPTIONS: ExecOptions = {
  timeoutMs: 3_600_000,
  env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
};
