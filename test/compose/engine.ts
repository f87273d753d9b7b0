import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, realpath, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { Namespace } from '../lab/namespace.js';
import { exec, type ExecOptions, type ExecResult, LabProcess, tryExec } from '../lab/process.js';
import { eventually } from '../lab/wait.js';
import { debianRoot } from './roots.js';

/** The engine's own bridge, which only builds use. */
export const BRIDGE_ADDRESS = '172.31.255.1';
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
const CGROUPS = '/sys/fs/cgroup';

/**
 * A real docker engine of our own: `dockerd` in a network namespace, with its own mounts, data, sockets and control
 * groups. Disposal ends it by its process id and removes everything of it.
 */
export class Engine implements AsyncDisposable {
  readonly directory: string;
  /** The value of DOCKER_HOST. */
  readonly host: string;
  readonly process: LabProcess;
  readonly #cgroup: string;

  private constructor(namespace: Namespace, directory: string) {
    this.directory = directory;
    this.host = `unix://${directory}/docker.sock`;
    this.#cgroup = `gwmark-engine-${process.pid}`;
    this.process = LabProcess.spawn(
      // Not `ip netns exec`: its fresh /sys has no control groups. Mounts of containers are seen by nobody else, and
      // go with it.
      [
        'nsenter',
        `--net=/run/netns/${namespace.name}`,
        'unshare',
        '--mount',
        '--propagation',
        'private',
        'dockerd',
        '--data-root',
        `${directory}/data`,
        '--exec-root',
        `${directory}/exec`,
        '--pidfile',
        `${directory}/pid`,
        '--host',
        this.host,
        '--bip',
        `${BRIDGE_ADDRESS}/24`,
        '--cgroup-parent',
        `/${this.#cgroup}`,
        '--oom-score-adjust',
        '0',
        '--log-level',
        'warn',
      ],
      { name: 'dockerd', env: { PATH: process.env['PATH'] } },
    );
  }

  /** Starts it and resolves when it answers. */
  static async start(namespace: Namespace): Promise<Engine> {
    const engine = new Engine(namespace, await mkdtemp(path.join(tmpdir(), `gwmark-engine-${process.pid}-`)));
    try {
      await eventually(
        async () => {
          if (engine.process.exitStatus !== undefined) throw new Error(engine.process.log);
          return (await engine.try('version')).code === 0;
        },
        { what: 'dockerd answers', timeoutMs: 60_000, intervalMs: 200 },
      );
      return engine;
    } catch (error) {
      await engine[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs `docker ARGS` on this engine; rejects unless it exits with 0. */
  async docker(...args: readonly string[]): Promise<string> {
    return await exec(['docker', ...args], { timeoutMs: 600_000, env: this.env });
  }

  /** Runs `docker ARGS` and resolves with its outcome, whatever that is. */
  async try(...args: readonly string[]): Promise<ExecResult> {
    return await tryExec(['docker', ...args], { timeoutMs: 120_000, env: this.env });
  }

  get env(): NodeJS.ProcessEnv {
    // The builder that needs nothing from a registry.
    return { ...process.env, DOCKER_HOST: this.host, DOCKER_BUILDKIT: '0' };
  }

  /**
   * Makes the images that the Dockerfiles start from, under the very names that they use: nothing can be pulled here.
   * The node in it is the one that runs this test.
   */
  async makeBaseImages(): Promise<void> {
    await exec(['docker', 'import', await debianRoot('bookworm'), 'debian:12-slim'], {
      timeoutMs: 600_000,
      env: this.env,
    });
    const context = path.join(this.directory, 'node');
    await mkdir(context);
    await copyFile(process.execPath, path.join(context, 'node'));
    const npm = path.dirname(path.dirname(await realpath((await exec(['sh', '-c', 'command -v npm'])).trim())));
    await cp(npm, path.join(context, 'npm'), { recursive: true });
    // Builds see the world as this machine does.
    const hasCertificates = existsSync(CERTIFICATES);
    if (hasCertificates) await copyFile(CERTIFICATES, path.join(context, 'ca.crt'));
    await writeFile(
      path.join(context, 'Dockerfile'),
      [
        'FROM debian:12-slim',
        'COPY node /usr/local/bin/node',
        'COPY npm /usr/local/lib/node_modules/npm',
        'RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx',
        ...(hasCertificates ? [`COPY ca.crt ${CERTIFICATES}`, `ENV NODE_EXTRA_CA_CERTS=${CERTIFICATES}`] : []),
      ].join('\n'),
    );
    await this.docker('build', '--quiet', '--tag', 'node:20-bookworm-slim', context);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.stop(60_000);
    await rm(this.directory, { recursive: true, force: true });
    // One in each hierarchy, or one for all.
    const places = (await exec(['find', CGROUPS, '-depth', '-type', 'd', '-path', `*/${this.#cgroup}*`]))
      .split('\n')
      .filter(Boolean);
    for (const place of places) await rmdir(place).catch(() => undefined);
  }
}

/** A project of docker-compose.yml on an engine. */
export class ComposeProject {
  readonly #engine: Engine;
  readonly #file: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly name: string;

  /** @param settings what a user writes into .env */
  constructor(engine: Engine, file: string, settings: Readonly<Record<string, string>>) {
    this.#engine = engine;
    this.#file = file;
    this.name = `gwmark-${process.pid}`;
    this.#env = { ...engine.env, COMPOSE_PROJECT_NAME: this.name, ...settings };
  }

  /** Runs `docker-compose ARGS`; rejects unless it exits with 0. */
  async run(...args: readonly string[]): Promise<string> {
    return await exec(this.#argv(args), this.#options);
  }

  async try(...args: readonly string[]): Promise<ExecResult> {
    return await tryExec(this.#argv(args), this.#options);
  }

  /** Id of a service's container. */
  async container(service: string): Promise<string> {
    return (await this.run('ps', '--quiet', service)).trim();
  }

  /** Resolves when docker calls each of the services healthy. @throws Error with their logs */
  async healthy(...services: readonly string[]): Promise<void> {
    const states = async (): Promise<readonly string[]> =>
      await Promise.all(
        services.map(async (service) =>
          (
            await this.#engine.docker(
              'inspect',
              '--format',
              '{{.State.Status}} {{.State.Health.Status}}',
              await this.container(service),
            )
          ).trim(),
        ),
      );
    let last: readonly string[] = [];
    try {
      await eventually(
        async () => {
          last = await states();
          return last.every((state) => state === 'running healthy');
        },
        { what: `${services.join(', ')} healthy`, timeoutMs: 120_000, intervalMs: 500 },
      );
    } catch (error) {
      throw new Error(
        `${String(error)}\n${last.join(', ')}\n${(await this.try('logs', '--no-color', '--tail', '40')).stdout}`,
        { cause: error },
      );
    }
  }

  get #options(): ExecOptions {
    return { timeoutMs: 1_800_000, env: this.#env };
  }

  #argv(args: readonly string[]): string[] {
    return ['docker-compose', '--file', this.#file, ...args];
  }
}
