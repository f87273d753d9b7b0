/**
 * What only a sidecar with iptables has: chains and sets that outlive it, are repaired, and go; and the choice of the
 * firewall.
 */
import assert from 'node:assert/strict';
import { mkdir, symlink } from 'node:fs/promises';
import path from 'node:path';

import { assertClean, assertFound, runDoctor } from '../lab/doctor.js';
import { FLAVOUR } from '../lab/firewall.js';
import { networkState, type NetworkState } from '../lab/network-state.js';
import type { ExecResult } from '../lab/process.js';
import { PROGRAM, runGwmark, Sidecar } from '../lab/sidecar.js';
import { FAMILIES, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { assertExchange } from '../netns/matrix.js';
import { assertNothingLost, underTraffic } from '../netns/under-traffic.js';

const BASES = ['iptables', 'ip6tables'] as const;
/** What a sidecar needs, and not nft. */
const PROGRAMS = [
  'ip',
  'ipset',
  'conntrack',
  'modprobe',
  'iptables',
  `iptables-${FLAVOUR}`,
  ...['save', 'restore'].flatMap((suffix) => BASES.map((base) => `${base}-${FLAVOUR}-${suffix}`)),
];
/** A rule of another program's. */
const THEIRS = ['FORWARD', '-i', 'theirs0', '-j', 'ACCEPT'] as const;

describe(`a sidecar with iptables, flavour ${FLAVOUR}`, function () {
  this.timeout(patient(40_000));
  let lab: VpnLab;
  let pristine: NetworkState;

  const mangle = async (base: (typeof BASES)[number], ...words: readonly string[]): Promise<string> =>
    await lab.topology.endpoint.run([`${base}-${FLAVOUR}`, '-w', '10', '-t', 'mangle', ...words]);
  const rules = async (): Promise<readonly string[]> => {
    const saved = await Promise.all(
      BASES.map(async (base) => await lab.topology.endpoint.run([`${base}-${FLAVOUR}-save`, '-t', 'mangle'])),
    );
    return saved
      .join('')
      .split('\n')
      .filter((line) => line.startsWith('-A'));
  };
  const ours = async (): Promise<readonly string[]> => (await rules()).filter((line) => line.includes('gwmark'));
  const sets = async (): Promise<string> => await lab.topology.endpoint.run(['ipset', 'list', '-n']);
  /** A second run that has to end by itself. */
  const runAnother = async (...flags: readonly string[]): Promise<ExecResult> =>
    await runGwmark(
      lab.topology.endpoint,
      ['run', '--management', 'unix:/nowhere', '--control-socket', `${lab.pki.directory}/other.sock`, ...flags],
      { timeoutMs: 20_000 },
    );

  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    await mangle('iptables', '-A', ...THEIRS);
    pristine = await networkState(lab.topology.endpoint);
    await lab.startSidecar('--firewall', 'iptables', '--iptables-flavour', FLAVOUR);
    await lab.introduceRouters();
    await lab.connect('client1', 'client2');
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  it('says which firewall it has, in its log and to the doctor, who finds nothing wrong', async () => {
    const selected = await lab.sidecar.event('firewall.selected');
    const report = await runDoctor(lab.topology.endpoint, {
      flags: ['--management', `unix:${lab.server.managementSocket}`, '--control-socket', lab.sidecar.controlSocket],
    });

    assert.equal(selected.fields['firewall'], `iptables-${FLAVOUR}`);
    assertClean(report);
    assertFound(report, 'iptables', 'ok', new RegExp(`chains gwmark-\\* of iptables-${FLAVOUR}: installed by gwmark`));
  });

  it('counts packets by router and direction', async () => {
    await assertExchange('tcp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'));

    const document = JSON.parse(
      (await runGwmark(lab.topology.endpoint, ['gateways', '--json', '--control-socket', lab.sidecar.controlSocket]))
        .stdout,
    ) as readonly {
      received: { packets: number; bytes: number };
      sent: { packets: number; bytes: number };
      mac: string;
    }[];

    const active = document.filter(
      ({ received, sent }) => received.packets > 3 && received.bytes > 500 && sent.packets > 3 && sent.bytes > 500,
    );
    assert.ok(active.length >= 2, JSON.stringify(document));
  });

  it('leaves its rules to the next run, which changes none of them, and loses not one packet to a kill -9', async () => {
    const before = await rules();

    const flows = await underTraffic(lab, async () => {
      await lab.sidecar.killHard();
      await lab.sidecar.restart();
      await lab.known('client1', 'client2');
    });

    await lab.sidecar.event('firewall.adopted');
    assertNothingLost(flows);
    assert.deepEqual(await rules(), before);
  });

  const damages: Readonly<Record<string, () => Promise<void>>> = {
    'its chains flushed': async () => void (await Promise.all(BASES.map(async (base) => await mangle(base, '-F')))),
    'the way into one of its chains removed': async () =>
      void (await mangle('ip6tables', '-D', 'PREROUTING', '-j', 'gwmark-in')),
    'a rule of another program in one of its chains': async () =>
      void (await mangle('iptables', '-I', 'gwmark-in', '-j', 'RETURN')),
  };
  for (const [damage, make] of Object.entries(damages)) {
    it(`finds ${damage} by hand, repairs it and says so`, async () => {
      const before = await ours();
      const from = lab.sidecar.log.length;

      await make();

      await lab.sidecar.event('firewall.repaired', { from });
      await eventually(async () => assert.deepEqual(await ours(), before) === undefined, {
        what: 'the rules are back, and there is one jump to each chain',
      });
      for (const family of FAMILIES)
        await assertExchange('tcp', lab.party('hostA', family), lab.party('client1', family));
    });
  }

  it('is not replaced by nftables: that is refused until gwmark down', async () => {
    const result = await runAnother('--firewall', 'nftables');

    assert.equal(result.code, 1);
    assert.match(result.stderr, /FIREWALL_CLASH[\s\S]*gwmark down/);
  });

  it('is not started without the capability that iptables needs beside CAP_NET_ADMIN, which is named', async () => {
    const without = ['setpriv', '--bounding-set', '-net_raw', '--inh-caps', '-net_raw', '--'];

    const result = await lab.topology.endpoint.tryRun(
      [
        ...without,
        process.execPath,
        PROGRAM,
        'run',
        '--management',
        'unix:/nowhere',
        '--control-socket',
        `${lab.pki.directory}/other.sock`,
        '--firewall',
        'iptables',
      ],
      { timeoutMs: 20_000 },
    );

    assert.equal(result.code, 1);
    assert.match(result.stderr, /FIREWALL_UNAVAILABLE[\s\S]*CAP_NET_RAW/);
  });

  it('is not started beside a rule of another program that sets bits of its mark, which is named', async () => {
    await mangle('iptables', '-A', 'FORWARD', '-j', 'MARK', '--set-xmark', '0x1000000/0xff000000');

    const result = await runAnother('--firewall', 'iptables', '--iptables-flavour', FLAVOUR);

    await mangle('iptables', '-D', 'FORWARD', '-j', 'MARK', '--set-xmark', '0x1000000/0xff000000');
    assert.equal(result.code, 1);
    assert.match(result.stderr, /FIREWALL_CLASH[\s\S]*iptables chain FORWARD \(IPv4 mangle\) sets mark bits/);
    assert.doesNotMatch(result.stderr, /\n\s+at /);
  });

  it('is not removed from under a rule of another program that uses a set of it, which is named', async () => {
    await lab.sidecar.stop();
    await mangle('iptables', '-A', 'FORWARD', '-m', 'set', '--match-set', 'gwmark-client4', 'src', '-j', 'ACCEPT');

    const result = await runGwmark(lab.topology.endpoint, ['down', '--control-socket', lab.sidecar.controlSocket]);

    await mangle('iptables', '-D', 'FORWARD', '-m', 'set', '--match-set', 'gwmark-client4', 'src', '-j', 'ACCEPT');
    assert.equal(result.code, 1);
    assert.match(result.stderr, /destroy set gwmark-client4: .*in use/);
    assert.doesNotMatch(result.stderr, /\n\s+at /);
  });

  it('is gone after gwmark down, and nobody else’s rule is', async () => {
    await mangle('iptables', '-F', 'FORWARD');
    await mangle('iptables', '-A', ...THEIRS);

    await lab.sidecar.down();

    assert.deepEqual(await rules(), [`-A ${THEIRS.join(' ')}`]);
    assert.equal(await sets(), '');
    // iptables-nft keeps the empty tables that it once made.
    assert.deepEqual({ ...(await networkState(lab.topology.endpoint)), ruleset: '' }, { ...pristine, ruleset: '' });
    assert.deepEqual(
      (await lab.conntrack('mark=')).filter((entry) => !/ mark=0 /.test(entry)),
      [],
      'no conntrack entry keeps a mark',
    );
  });

  // The other flavour has no lock.
  if (FLAVOUR === 'legacy') {
    it('says that another program holds the lock of iptables, and goes on when it lets go', async () => {
      const lock = path.join(lab.pki.directory, 'xtables.lock');
      await using holder = lab.topology.endpoint.spawn([
        'flock',
        '--no-fork',
        lock,
        'sh',
        '-c',
        'echo held; exec sleep 1000',
      ]);
      await eventually(() => holder.lines.includes('held'), { what: 'the lock is held' });
      await using sidecar = Sidecar.launch({
        namespace: lab.topology.endpoint,
        directory: lab.pki.directory,
        managementSocket: lab.server.managementSocket,
        flags: ['--firewall', 'iptables', '--iptables-flavour', FLAVOUR],
        env: { XTABLES_LOCKFILE: lock },
      });

      const failed = await sidecar.event('firewall.failed', { timeoutMs: 20_000 });
      await holder.stop();

      assert.match(JSON.stringify(failed.fields['error']), /lock/);
      await sidecar.ready();
    });
  }

  it('is chosen by itself where there is no nft', async () => {
    const only = path.join(lab.pki.directory, 'bin');
    await mkdir(only);
    for (const program of PROGRAMS)
      await symlink(
        (await lab.topology.endpoint.run(['sh', '-c', `command -v ${program}`])).trim(),
        path.join(only, program),
      );
    const usual = process.env['PATH'];
    process.env['PATH'] = only;
    try {
      await lab.startSidecar('--executor', 'process', '--firewall', 'auto', '--iptables-flavour', FLAVOUR);
    } finally {
      process.env['PATH'] = usual;
    }

    const selected = await lab.sidecar.event('firewall.selected');

    assert.equal(selected.fields['firewall'], `iptables-${FLAVOUR}`);
    assert.match(String(selected.fields['reason']), /nftables cannot be used/);
  });
});
