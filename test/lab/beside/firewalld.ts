import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Namespace } from '../namespace.js';
import { exec, LabProcess } from '../process.js';
import { eventually } from '../wait.js';

const SCRIPT = path.join(fileURLToPath(new URL('../../../../', import.meta.url)), 'scripts/firewalld.sh');
/** Debian's own: the modules below it are built for it. */
const PYTHON = '/usr/bin/python3';

/**
 * Real firewalld of Debian, with its default configuration, as the firewall of one namespace. It has a D-Bus and a
 * configuration of its own, so nothing of the machine is touched. Disposal ends it; what it left in nftables goes too.
 */
export class Firewalld implements AsyncDisposable {
  readonly #root: string;
  readonly #directory: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #processes: readonly LabProcess[];

  private constructor(root: string, directory: string, env: NodeJS.ProcessEnv, processes: readonly LabProcess[]) {
    this.#root = root;
    this.#directory = directory;
    this.#env = env;
    this.#processes = processes;
  }

  /** Resolves when its rules are in force; fetched at the first call on this machine. */
  static async start(namespace: Namespace): Promise<Firewalld> {
    const root = (await exec([SCRIPT], { timeoutMs: 300_000 })).trim();
    const directory = await mkdtemp(path.join(tmpdir(), `gwmark-lab-${process.pid}-firewalld-`));
    const socket = `unix:path=${path.join(directory, 'bus')}`;
    await writeFile(path.join(directory, 'bus.conf'), busConfig(socket));
    await cp(path.join(root, 'etc/firewalld'), path.join(directory, 'etc'), { recursive: true });
    const env = {
      ...process.env,
      DBUS_SYSTEM_BUS_ADDRESS: socket,
      PYTHONPATH: path.join(root, 'usr/lib/python3/dist-packages'),
    };
    const bus = LabProcess.spawn(
      ['dbus-daemon', `--config-file=${path.join(directory, 'bus.conf')}`, '--nofork', '--print-address=1'],
      { name: 'dbus-daemon of firewalld' },
    );
    await bus.waitFor(/^unix:path=/);
    const daemon = namespace.spawn(
      [
        PYTHON,
        path.join(root, 'usr/sbin/firewalld'),
        '--nofork',
        '--nopid',
        '--system-config',
        path.join(directory, 'etc'),
        '--default-config',
        path.join(root, 'usr/lib/firewalld'),
        '--log-file',
        path.join(directory, 'log'),
      ],
      { env },
    );
    const firewalld = new Firewalld(root, directory, env, [daemon, bus]);
    try {
      await eventually(async () => (await firewalld.command('--state')).includes('running'), {
        what: 'firewalld is running',
        timeoutMs: 20_000,
        intervalMs: 200,
      });
    } catch (error) {
      await firewalld[Symbol.asyncDispose]();
      throw error;
    }
    return firewalld;
  }

  /**
   * Runs `firewall-cmd` with these words and resolves with what it printed. Changes hold until a reload unless
   * `--permanent` is among them.
   */
  async command(...words: readonly string[]): Promise<string> {
    return await exec([PYTHON, path.join(this.#root, 'usr/bin/firewall-cmd'), ...words], { env: this.#env });
  }

  /** Runs lines of bash in which `firewall-cmd` is that of this firewall; rejects unless the last one exits with 0. */
  async shell(text: string): Promise<string> {
    return await exec(
      ['bash', '-c', `firewall-cmd() { ${PYTHON} ${path.join(this.#root, 'usr/bin/firewall-cmd')} "$@"; }\n${text}`],
      { env: this.#env },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The firewall first: it takes its rules away over nothing but netlink, and says goodbye to the bus.
    for (const process of this.#processes) await process.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/**
 * A bus on which everybody may do everything, and that starts no services: root needs no polkit there. @see
 * dbus-daemon(1)
 */
function busConfig(socket: string): string {
  return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type><listen>${socket}</listen><auth>EXTERNAL</auth>
  <policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>
`;
}
