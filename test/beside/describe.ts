import assert from 'node:assert/strict';

import { runDoctor } from '../lab/doctor.js';
import type { Transport } from '../lab/openvpn.js';
import { runGwmark } from '../lab/sidecar.js';
import { AsyncDisposableStackLike } from '../lab/topology.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import type { DebianRoot } from '../packages/root.js';
import { type Naming, type Neighbour, TRANSPORTS } from './neighbour.js';
import { record, versionOf } from './results.js';
import { Scene } from './scene.js';
import { shortMatrix } from './short-matrix.js';

/** How much of each row is tried. */
export interface DescribeOptions {
  /** Over its first transport alone, and nothing is written down. */
  readonly isShort?: boolean;
}

/** Declares rows of the table of neighbours. */
export function describeNeighbours(neighbours: readonly Neighbour[], options: DescribeOptions = {}): void {
  let root: DebianRoot | undefined;
  const rootOnce = async (): Promise<DebianRoot> => {
    const { neighbourRoot } = await import('./root.js');
    root ??= await neighbourRoot();
    return root;
  };
  after(async () => await root?.[Symbol.asyncDispose]());
  for (const neighbour of neighbours) describeNeighbour(neighbour, rootOnce, options);
}

function describeNeighbour(
  neighbour: Neighbour,
  root: () => Promise<DebianRoot>,
  { isShort = false }: DescribeOptions,
): void {
  describe(`beside ${neighbour.name}`, function () {
    this.timeout(patient(180_000));
    const transports = neighbour.transports ?? TRANSPORTS;
    for (const transport of isShort ? transports.slice(0, 1) : transports)
      describeTransport(neighbour, transport, root);
  });
}

function describeTransport(neighbour: Neighbour, transport: Transport, root: () => Promise<DebianRoot>): void {
  const { limit } = neighbour;

  describe(`OpenVPN over ${transport}`, () => {
    let scene: Scene;
    let stack: AsyncDisposableStackLike;
    let isCarried = false;

    before(async () => {
      stack = new AsyncDisposableStackLike();
      const lab = await VpnLab.create({ transport, ...(await neighbour.lab?.(transport)) });
      scene = new Scene(lab, stack, root);
      await neighbour.prepare?.(scene);
    });
    after(async () => {
      await stack?.disposeAll();
      await scene?.lab[Symbol.asyncDispose]();
    });

    if (limit === undefined) {
      it('carries every kind of traffic, each answer to the router that it came from, and trace agrees', async () => {
        await scene.lab.startSidecar(...(neighbour.flags ?? []));
        await settle(scene, neighbour);

        assert.deepEqual(await shortMatrix(scene, { isOpenedByHosts: neighbour.hasOwnDefault ?? false }), []);
        isCarried = true;
      });

      for (const [what, disturb] of Object.entries(neighbour.disturbances ?? {})) {
        it(`carries it after ${what}`, async () => {
          const wasCarried = isCarried;
          isCarried = false;
          await disturb(scene);

          await recovers(scene, neighbour);
          isCarried = wasCarried;
        });
      }

      it('leaves the doctor without an error to report', async () => {
        const { findings } = await runDoctor(scene.endpoint, { flags: doctorFlags(scene) });

        assert.deepEqual(
          findings.filter(({ severity }) => severity === 'error'),
          [],
        );
        for (const naming of neighbour.named ?? []) await assertNamed(scene, naming);
        if (isCarried)
          record({ name: neighbour.name, transport, outcome: 'passes', versions: await versions(neighbour, scene) });
      });
      return;
    }

    it(`does not carry all of it, and the cause is named: ${limit.reason}`, async () => {
      if (limit.isClientless === true) {
        const sidecar = scene.lab.launchSidecar(...(neighbour.flags ?? []));
        await sidecar.statusWhere(({ servers }) => servers.length > 0, 'the sidecar answers');
        const clients = await Promise.all(
          (['client1', 'client2'] as const).map(async (name) => await scene.lab.launchClient(name)),
        );
        const areConnected = await Promise.all(
          clients.map(
            async (client) =>
              await client.connected({ timeoutMs: 4_000 }).then(
                () => true,
                () => false,
              ),
          ),
        );
        const faults = areConnected.includes(false)
          ? ['a client does not connect']
          : await shortMatrix(scene, { isHopeless: true });
        assert.notDeepEqual(faults, [], 'it carries all of it: this is no limit any more');
      } else {
        await scene.lab.startSidecar(...(neighbour.flags ?? []));
        await settle(scene, neighbour);
        assert.notDeepEqual(
          await shortMatrix(scene, { isHopeless: true }),
          [],
          'it carries all of it: this is no limit any more',
        );
      }

      for (const naming of limit.named) await assertNamed(scene, naming);
      record({ name: neighbour.name, transport, outcome: 'limit', versions: await versions(neighbour, scene) });
    });
  });
}

/** Routers and clients make themselves known, as on a real day. */
async function settle({ lab }: Scene, { isLocalFirst = false }: Neighbour): Promise<void> {
  if (isLocalFirst) await (await lab.launchClient('local')).connected();
  await lab.introduceRouters();
  await lab.connect('client1', 'client2');
}

/** Fails unless the matrix holds within a bound: what a neighbour broke is repaired by itself. */
async function recovers(scene: Scene, { hasOwnDefault = false }: Neighbour): Promise<void> {
  let faults: readonly string[] = [];
  await eventually(
    async () => {
      faults = await shortMatrix(scene, { isHopeless: true, isOpenedByHosts: hasOwnDefault });
      return faults.length === 0;
    },
    { what: 'the matrix holds again', timeoutMs: 20_000 },
  ).catch((error: unknown) => assert.fail(`${String(error)}\n${faults.join('\n')}`));
}

function doctorFlags({ lab }: Scene): readonly string[] {
  return ['--management', `unix:${lab.server.managementSocket}`, '--control-socket', lab.sidecar.controlSocket];
}

async function assertNamed(scene: Scene, naming: Naming): Promise<void> {
  if (naming.by === 'trace') {
    await naming.before?.(scene);
    const { stdout, stderr } = await runGwmark(scene.endpoint, [
      'trace',
      ...(typeof naming.words === 'function' ? naming.words(scene.lab.options.transport) : naming.words),
      '--control-socket',
      scene.lab.sidecar.controlSocket,
    ]);
    assert.match(stdout + stderr, naming.text);
    return;
  }
  const { findings } = await runDoctor(scene.endpoint, { flags: doctorFlags(scene) });
  const finding = findings.find(
    ({ check, severity, subject, found }) =>
      check === naming.check && severity === naming.severity && naming.text.test(`${subject}: ${found}`),
  );
  assert.ok(
    finding,
    `${naming.check} ${naming.severity} ${String(naming.text)} in ${JSON.stringify(
      findings.filter(({ check, severity }) => check === naming.check || severity !== 'ok'),
      undefined,
      1,
    )}`,
  );
}

async function versions({ versions: commands = {} }: Neighbour, scene: Scene): Promise<Record<string, string>> {
  return Object.fromEntries(
    await Promise.all(
      Object.entries(commands).map(async ([program, argv]) => [program, await versionOf(scene, argv)] as const),
    ),
  );
}
