/** What only a sidecar with iptables has: chains and sets that outlive it, are repaired, and go; and the choice of the firewall. */
import assert from 'node:assert/strict';
import { mkdir, symlink } from 'node:fs/promises';
import path from 'node:path';

import { runGwmark } from '../lab/sidecar.js';
import { FAMILIES, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { assertExchange } from '../netns/matrix.js';

const FLAVOUR = process.env['GWMARK_IPTABLES_FLAVOUR'] ?? 'nft';
/** What a sidecar needs, and not nft. */
const PROGRAMS = ['ip', 'ipset', 'conntrack', 'modprobe', 'iptables', `iptables-${FLAVOUR}`, ...['save', 'restore'].flatMap((suffix) => [`iptables-${FLAVOUR}-${suffix}`, `ip6tables-${FLAVOUR}-${suffix}`])];

describe(`a sidecar with iptables, flavour ${FLAVOUR}`, function () {
  this.timeout(patient(40_000));
  let lab: VpnLab;
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    await lab.topology.endpoint.run([`iptables-${FLAVOUR}`, '-w', '5', '-t', 'mangle', '-A', 'FORWARD', '-i', 'theirs0', '-j', 'ACCEPT']);
    await lab.startSidecar('--firewall', 'iptables', '--iptables-flavour', FLAVOUR);
    await lab.introduceRouters();
    await lab.connect('client1');
    await lab.sidecar.statusWhere(({ uplink }) => uplink !== null, 'the uplink is known');
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  const rules = async (): Promise<string> => {
    const saved = await Promise.all(['iptables', 'ip6tables'].map(async (base) => await lab.topology.endpoint.run([`${base}-${FLAVOUR}-save`, '-t', 'mangle'])));
    return saved.join('').split('\n').filter((line) => line.startsWith('-A')).join('\n');
  };
  const sets = async (): Promise<string> => await lab.topology.endpoint.run(['ipset', 'list', '-n']);

  it('says which firewall it has', async () => {
    const selected = await lab.sidecar.event('firewall.selected');

    assert.equal(selected.fields['firewall'], `iptables-${FLAVOUR}`);
  });

  it('leaves its rules to the next run, which changes none of them', async () => {
    const before = await rules();
    await lab.sidecar.killHard();
    await assertExchange('tcp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'));

    await lab.sidecar.restart();
    await lab.known('client1');

    await lab.sidecar.event('firewall.adopted');
    assert.equal(await rules(), before);
  });

  it('repairs chains that somebody flushed, and says so', async () => {
    const before = (await rules()).split('\n').filter((line) => !line.includes('theirs0')).join('\n');
    const from = lab.sidecar.log.length;

    for (const base of ['iptables', 'ip6tables']) await lab.topology.endpoint.run([`${base}-${FLAVOUR}`, '-w', '5', '-t', 'mangle', '-F']);

    await lab.sidecar.event('firewall.repaired', { from });
    await eventually(async () => (await rules()) === before, { what: 'the rules are back' });
    for (const family of FAMILIES) await assertExchange('tcp', lab.party('hostA', family), lab.party('client1', family));
  });

  it('is not replaced by nftables: that is refused until gwmark down', async () => {
    const result = await runGwmark(lab.topology.endpoint, ['run', '--management', 'unix:/nowhere', '--control-socket', `${lab.pki.directory}/other.sock`, '--firewall', 'nftables'], { timeoutMs: 20_000 });

    assert.equal(result.code, 1);
    assert.match(result.stderr, /FIREWALL_CLASH[\s\S]*gwmark down/);
  });

  it('is gone after gwmark down, and nobody else’s rule is', async () => {
    await lab.topology.endpoint.run([`iptables-${FLAVOUR}`, '-w', '5', '-t', 'mangle', '-A', 'FORWARD', '-i', 'theirs0', '-j', 'ACCEPT']);
    await lab.sidecar.stop();

    await lab.sidecar.down();

    assert.equal(await rules(), '-A FORWARD -i theirs0 -j ACCEPT');
    assert.equal(await sets(), '');
  });

  it('is chosen by itself where there is no nft', async () => {
    const only = path.join(lab.pki.directory, 'bin');
    await mkdir(only);
    for (const program of PROGRAMS) await symlink((await lab.topology.endpoint.run(['sh', '-c', `command -v ${program}`])).trim(), path.join(only, program));
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
