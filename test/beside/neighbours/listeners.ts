import path from 'node:path';

import { CHECKOUT } from '../../compose/roots.js';
import { readUnit } from '../../packages/unit.js';
import type { LabDifference, Neighbour } from '../neighbour.js';
import type { Scene } from '../scene.js';

/** What else a server of a small office listens on: protocol, port. */
const LISTENERS = [
  ['tcp', 25],
  ['tcp', 53],
  ['udp', 53],
  ['udp', 67],
  ['tcp', 80],
  ['udp', 123],
  ['udp', 161],
  ['tcp', 443],
  ['udp', 443],
  ['udp', 500],
  ['udp', 1812],
  ['tcp', 3306],
  ['udp', 4500],
  ['udp', 5353],
  ['tcp', 8080],
] as const;

const GROUP = 'Programs that listen';
const SSHD = 'mkdir -p /run/sshd && ssh-keygen -A >/dev/null && exec /usr/sbin/sshd -D -e';

/** sshd on every address, and the listeners. */
async function startSshd(scene: Scene): Promise<void> {
  await scene.daemon(scene.endpoint, ['sh', '-c', SSHD], /Server listening on :: port 22/);
  await startListeners(scene);
}

/** A listener of each family on every port of {@link LISTENERS}. */
async function startListeners(scene: Scene): Promise<void> {
  await Promise.all(
    LISTENERS.flatMap(([protocol, port]) =>
      ['4', '6'].map(async (family) => {
        const address =
          protocol === 'tcp'
            ? `TCP${family}-LISTEN:${port},fork${family === '6' ? ',ipv6only=1' : ''}`
            : `UDP${family}-RECVFROM:${port},fork${family === '6' ? ',ipv6only=1' : ''}`;
        const listener = scene.use(
          scene.endpoint.spawn(['socat', '-d', '-d', address, 'SYSTEM:true'], {
            name: `listener on ${protocol} ${port}`,
          }),
        );
        await listener.waitFor(/listening on|starting accept loop|receiving on|N socat/);
      }),
    ),
  );
}

/** The sidecar with no more than the shipped unit gives it. */
async function underUnit(): Promise<LabDifference> {
  const unit = await readUnit(path.join(CHECKOUT, 'deploy/systemd/gwmark@.service'), 'office');
  const capabilities = unit
    .values('CapabilityBoundingSet')
    .flatMap((line) => line.split(' '))
    .map((name) => `+${name.toLowerCase().replace(/^cap_/, '')}`);
  return {
    sidecarPrefix: [
      'setpriv',
      '--bounding-set',
      ['-all', ...capabilities].join(','),
      '--inh-caps',
      '-all',
      '--ambient-caps',
      '-all',
      '--no-new-privs',
    ],
  };
}

const VERSIONS = { sshd: ['sshd', '-V'] } as const;

export const LISTENER_NEIGHBOURS: readonly Neighbour[] = [
  { name: 'sshd and fifteen other listeners', group: GROUP, prepare: startSshd, versions: VERSIONS },
  {
    name: 'fifteen listeners, with the capabilities of the shipped unit',
    group: GROUP,
    isQuick: true,
    lab: underUnit,
    prepare: startListeners,
  },
  {
    name: 'sshd and fifteen other listeners, with the capabilities of the shipped unit',
    group: GROUP,
    lab: underUnit,
    prepare: startSshd,
    versions: VERSIONS,
  },
  {
    name: 'sshd and fifteen other listeners, OpenVPN as the user nobody, with the capabilities of the shipped unit',
    group: GROUP,
    lab: async () => ({ ...(await underUnit()), serverExtra: ['user nobody', 'group nogroup'] }),
    versions: VERSIONS,
    prepare: async (scene) => {
      await scene.letEverybodyRead();
      await startSshd(scene);
    },
  },
];
