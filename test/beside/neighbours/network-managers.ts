import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { ADDRESS } from '../../lab/topology.js';
import { eventually } from '../../lab/wait.js';
import type { BootedRoot } from '../../packages/booted-root.js';
import type { DebianRoot } from '../../packages/root.js';
import { serveDhcp4 } from '../dhcp.js';
import type { Neighbour } from '../neighbour.js';
import type { Scene } from '../scene.js';

const GROUP = 'Network managers';

/**
 * systemd-networkd with its defaults: it owns the card, and the routes and rules that it does not know are foreign to
 * it.
 */
const NETWORKD = `[Match]
Name=lan0

[Network]
DHCP=ipv4
Address=${ADDRESS.endpoint.v6}/64
IPv6AcceptRA=no
`;

const NETWORK_MANAGER = {
  'etc/NetworkManager/conf.d/lab.conf':
    '[keyfile]\nunmanaged-devices=*,except:interface-name:lan0\n\n[main]\nno-auto-default=*\n',
  'etc/NetworkManager/system-connections/lan0.nmconnection': `[connection]
id=lan0
uuid=5f0a1d2e-6f0b-4c39-9a53-0d7f0f2a9a11
type=ethernet
interface-name=lan0

[ipv4]
method=auto

[ipv6]
method=manual
address1=${ADDRESS.endpoint.v6}/64
`,
} as const;

const booted = new WeakMap<Scene, BootedRoot>();

/** Runs a command in the booted system; what fails says why. */
const inside =
  (...argv: readonly string[]) =>
  async (scene: Scene): Promise<void> => {
    await booted.get(scene)?.run(...argv);
  };

/** @param mode networkd reads as a user of its own; NetworkManager takes no connection that others can read */
async function write(root: DebianRoot, mode: number, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(root.directory, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text, { mode });
  }
}

/**
 * The machine's addresses become the manager's business: those that the lab gave are taken away, and the manager gives
 * them.
 */
async function boot(scene: Scene, unit: string, prepare: (root: DebianRoot) => Promise<void>): Promise<void> {
  await serveDhcp4(scene);
  await scene.endpoint.ip('address flush dev lan0 scope global');
  const machine = await scene.boot(async (root) => {
    // Each manager alone, and no service that has nothing to do here.
    const units = [
      'systemd-networkd.service',
      'NetworkManager.service',
      'firewalld.service',
      'ufw.service',
      'fail2ban.service',
      'ssh.service',
      'ssh.socket',
      'radvd.service',
      'systemd-networkd-wait-online.service',
      'NetworkManager-wait-online.service',
      'nftables.service',
    ];
    await root.run('systemctl', 'disable', '--quiet', ...units).catch(() => undefined);
    await root.run('systemctl', 'mask', '--quiet', ...units.filter((name) => name !== unit));
    await root.run('systemctl', 'unmask', '--quiet', unit);
    await root.run('systemctl', 'enable', '--quiet', unit);
    await prepare(root);
  });
  booted.set(scene, machine);
  await addressed(scene);
}

async function addressed(scene: Scene): Promise<void> {
  await eventually(
    async () => {
      const text = await scene.endpoint.run(['ip', '-o', 'address', 'show', 'dev', 'lan0']);
      return text.includes(` ${ADDRESS.endpoint.v4}/24 `) && text.includes(` ${ADDRESS.endpoint.v6}/64 `);
    },
    { what: 'the manager gave the addresses', timeoutMs: 30_000 },
  );
}

const then =
  (act: (scene: Scene) => Promise<void>) =>
  async (scene: Scene): Promise<void> => {
    await act(scene);
    await addressed(scene);
  };

export const NETWORK_MANAGER_NEIGHBOURS: readonly Neighbour[] = [
  {
    name: 'systemd-networkd that owns the card, DHCPv4',
    group: GROUP,
    versions: { systemd: ['systemctl', '--version'] },
    prepare: async (scene) =>
      await boot(
        scene,
        'systemd-networkd.service',
        async (root) => await write(root, 0o644, { 'etc/systemd/network/10-lan0.network': NETWORKD }),
      ),
    disturbances: {
      'a renew': then(inside('networkctl', 'renew', 'lan0')),
      'a reconfigure': then(inside('networkctl', 'reconfigure', 'lan0')),
      'its restart': then(inside('systemctl', 'restart', 'systemd-networkd')),
    },
  },
  {
    name: 'NetworkManager that owns the card, DHCPv4',
    group: GROUP,
    versions: { NetworkManager: ['NetworkManager', '--version'] },
    prepare: async (scene) =>
      await boot(scene, 'NetworkManager.service', async (root) => await write(root, 0o600, NETWORK_MANAGER)),
    disturbances: {
      'a renew': then(inside('nmcli', 'connection', 'up', 'lan0')),
      'a reapply': then(inside('nmcli', 'device', 'reapply', 'lan0')),
      'its restart': then(inside('systemctl', 'restart', 'NetworkManager')),
    },
  },
];
