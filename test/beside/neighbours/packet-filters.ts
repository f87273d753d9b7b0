import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { Engine } from '../../compose/engine.js';
import { CHECKOUT } from '../../compose/roots.js';
import { Firewalld } from '../../lab/beside/firewalld.js';
import type { Neighbour } from '../neighbour.js';
import type { Scene } from '../scene.js';

const GROUP = 'Packet filters';

/** firewalld as Debian ships it, with OpenVPN's port open in the default zone. */
async function startFirewalld(scene: Scene): Promise<Firewalld> {
  const firewalld = scene.use(await Firewalld.start(scene.endpoint));
  for (const protocol of ['udp', 'tcp']) await firewalld.command(`--add-port=1194/${protocol}`);
  return firewalld;
}

/** Forwarding within a zone takes interfaces that were given to it by name. */
async function forwardWithinZone(scene: Scene): Promise<void> {
  const firewalld = await startFirewalld(scene);
  for (const device of ['lan0', 'tun0']) await firewalld.command('--zone=public', `--change-interface=${device}`);
}

/** ufw runs to its end: what stays is its rules. */
const ufw =
  (...commands: readonly string[]) =>
  async (scene: Scene): Promise<void> => {
    const root = await scene.root();
    for (const command of ['--force reset', 'allow 1194', ...commands, '--force enable'])
      await scene.endpoint.run(root.argv(['ufw', ...command.split(' ')]), { timeoutMs: 60_000 });
  };

const JAIL =
  '[DEFAULT]\nbanaction = nftables\nbackend = polling\n\n[sshd]\nenabled = true\nlogpath = /var/log/auth.log\n';

async function startFail2ban(scene: Scene): Promise<void> {
  const root = await scene.root();
  await writeFile(path.join(root.directory, 'etc/fail2ban/jail.local'), JAIL);
  await writeFile(path.join(root.directory, 'var/log/auth.log'), '');
  await scene.daemon(
    scene.endpoint,
    ['sh', '-c', 'mkdir -p /run/fail2ban && exec fail2ban-server -xf --logtarget=STDOUT start'],
    /Server ready|Jail 'sshd' started/,
  );
}

async function ban({ endpoint, root }: Scene): Promise<void> {
  await endpoint.run((await root()).argv(['fail2ban-client', 'set', 'sshd', 'banip', '203.0.113.66']), {
    timeoutMs: 60_000,
  });
  await endpoint.run(['nft', 'list', 'table', 'inet', 'f2b-table']);
}

/** Docker sets the policy of FORWARD to DROP where it was the first to turn forwarding on. */
async function startDockerFirst(scene: Scene): Promise<void> {
  await scene.endpoint.sysctl('net.ipv4.ip_forward=0');
  await startDocker(scene);
}

async function startDocker(scene: Scene): Promise<void> {
  scene.use(await Engine.start(scene.endpoint));
  await scene.endpoint.run(['iptables', '-S', 'DOCKER-USER']);
}

/** What Docker's manual tells a router to do. */
async function letThroughDocker(scene: Scene): Promise<void> {
  await startDockerFirst(scene);
  for (const way of ['-i', '-o'])
    await scene.endpoint.run(['iptables', '-I', 'DOCKER-USER', way, 'tun0', '-j', 'ACCEPT']);
}

const FIREWALLD = {
  firewalld: [
    'host:sh',
    '-c',
    'grep ^VERSION "$("$1")/usr/lib/python3/dist-packages/firewall/config/__init__.py"',
    'sh',
    path.join(CHECKOUT, 'scripts/firewalld.sh'),
  ],
} as const;
const DOCKER = { dockerd: ['host:dockerd', '--version'] } as const;

export const PACKET_FILTER_NEIGHBOURS: readonly Neighbour[] = [
  { name: 'firewalld, with lan0 and tun0 in one zone', group: GROUP, prepare: forwardWithinZone, versions: FIREWALLD },
  {
    name: 'firewalld in its default zone, with only the port of OpenVPN open',
    group: GROUP,
    prepare: async (scene) => void (await startFirewalld(scene)),
    versions: FIREWALLD,
    limit: {
      reason: 'firewalld rejects what is forwarded between interfaces that no zone lists',
      named: [
        {
          by: 'doctor',
          check: 'forward-policy',
          severity: 'error',
          text: /firewalld .*ends with reject for packets from lan0 to tun0/,
        },
      ],
    },
  },
  {
    name: 'ufw, with routed traffic allowed',
    group: GROUP,
    prepare: ufw('default allow routed'),
    versions: { ufw: ['ufw', '--version'] },
  },
  {
    name: 'ufw as it comes, with only the port of OpenVPN open',
    group: GROUP,
    prepare: ufw('default deny routed'),
    versions: { ufw: ['ufw', '--version'] },
    limit: {
      reason: 'ufw drops what is forwarded until `ufw default allow routed` or `ufw route allow`',
      named: [{ by: 'doctor', check: 'forward-policy', severity: 'warn', text: /FORWARD has policy drop/ }],
    },
  },
  {
    name: 'fail2ban',
    group: GROUP,
    prepare: startFail2ban,
    disturbances: { 'a ban': ban },
    versions: { fail2ban: ['fail2ban-server', '--version'] },
  },
  {
    name: "Docker's own rules, on a machine that did not forward before, with the tunnel let through in DOCKER-USER",
    group: GROUP,
    prepare: letThroughDocker,
    versions: DOCKER,
  },
  {
    name: "Docker's own rules, on a machine that forwarded before",
    group: GROUP,
    prepare: startDocker,
    versions: DOCKER,
  },
  {
    name: "Docker's own rules, on a machine that did not forward before",
    group: GROUP,
    prepare: startDockerFirst,
    versions: DOCKER,
    limit: {
      reason:
        'Docker drops what is forwarded over IPv4 and does not belong to a container, unless DOCKER-USER accepts it',
      named: [{ by: 'doctor', check: 'forward-policy', severity: 'warn', text: /FORWARD has policy drop/ }],
    },
  },
];
