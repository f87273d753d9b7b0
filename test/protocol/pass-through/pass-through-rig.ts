import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { FakeManagementServerOptions } from 'openvpn-management-client/testing';
import type { PassThroughPlace } from '../../../sidecar/config/settings.js';
import type { FlatSettings } from '../../../sidecar/config/table.js';
import { ManagementProgram } from '../../lab/management-program.js';
import { eventually } from '../../lab/wait.js';
import { InstanceRig } from '../openvpn/instance-rig.js';

/** A sidecar that follows a fake OpenVPN and passes through, and programs at its sockets. */
export class PassThroughRig implements AsyncDisposable {
  readonly sidecar: InstanceRig;
  readonly directory: string;
  readonly #programs: ManagementProgram[] = [];

  private constructor(sidecar: InstanceRig, directory: string) {
    this.sidecar = sidecar;
    this.directory = directory;
  }

  /** Resolves when the first socket is open. @param places of their sockets; default one, `a.sock` */
  static async start(
    options: {
      readonly places?: (directory: string) => readonly PassThroughPlace[];
      readonly settings?: Partial<FlatSettings>;
      readonly fake?: FakeManagementServerOptions;
      /** Path of the management socket, if not the fake's. */
      readonly management?: string;
      /** The sidecar listens, and the fake connects. */
      readonly connects?: boolean;
      /** Runs before the sidecar starts. */
      readonly prepare?: (directory: string) => Promise<void>;
    } = {},
  ): Promise<PassThroughRig> {
    const directory = await mkdtemp(path.join(tmpdir(), 'pass-through-'));
    const places =
      options.places ?? ((): readonly PassThroughPlace[] => [{ kind: 'unix', path: path.join(directory, 'a.sock') }]);
    await options.prepare?.(directory);
    const endpoint =
      options.connects === true
        ? `listen:unix:${path.join(directory, 'management.sock')}`
        : options.management === undefined
          ? undefined
          : `unix:${options.management}`;
    const sidecar = await InstanceRig.start(
      { passThrough: places(directory), ...options.settings },
      options.fake,
      undefined,
      undefined,
      endpoint,
    );
    const rig = new PassThroughRig(sidecar, directory);
    if (options.connects === true && endpoint !== undefined)
      await eventually(async () => await sidecar.fake.dial(endpoint), { what: 'the sidecar listens' });
    await sidecar.ready();
    await rig.isOpen(true);
    return rig;
  }

  /** The path of the socket of this name. */
  at(name = 'a.sock'): string {
    return path.join(this.directory, name);
  }

  /** Attaches a program; the rig ends it. */
  async attach(place: string | number = this.at(), greeting?: RegExp): Promise<ManagementProgram> {
    const program = await ManagementProgram.attach(place, greeting);
    this.#programs.push(program);
    return program;
  }

  /** Resolves when the first socket is open, or is not. */
  async isOpen(isOpen: boolean): Promise<void> {
    await this.sidecar.until(() => this.sidecar.instance.passThrough[0]?.isOpen === isOpen, `isOpen: ${isOpen}`);
  }

  /** Lines of the log with this event. */
  logged(event: string): readonly string[] {
    return this.sidecar.log
      .text()
      .split('\n')
      .filter((line) => line.includes(`"event":"${event}"`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs) await program[Symbol.asyncDispose]();
    await this.sidecar[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true, force: true });
  }
}
