/**
 * The judgements that no fault of a running machine leads to here; all others are made for real in
 * test/netns/doctor*.test.ts.
 */
import assert from 'node:assert/strict';

import type { Command, NftObject, Statement } from 'nftables-json';
import { NftError } from 'nftables-json';

import { tcpSocketUse, unixPeers, unixSocketUse } from '../../../sidecar/discovery/management-socket.js';
import { CHECKS } from '../../../sidecar/doctor/checks.js';
import { judgeClock } from '../../../sidecar/doctor/checks/clock.js';
import { judgeConntrack } from '../../../sidecar/doctor/checks/conntrack.js';
import { legacyDropping } from '../../../sidecar/doctor/checks/forward-policy.js';
import { judgeForwarding } from '../../../sidecar/doctor/checks/forwarding.js';
import { judgeKernel } from '../../../sidecar/doctor/checks/kernel.js';
import { judgeLabels } from '../../../sidecar/doctor/checks/labels.js';
import { hasMssRule, isOffloaded, judgeMtu } from '../../../sidecar/doctor/checks/mtu.js';
import { judgeModule } from '../../../sidecar/doctor/checks/module.js';
import { probeFeatures } from '../../../sidecar/doctor/checks/nftables.js';
import { judgeOptions } from '../../../sidecar/doctor/checks/openvpn-options.js';
import { isSidecar } from '../../../sidecar/doctor/checks/sidecars.js';
import { judgeTable } from '../../../sidecar/doctor/checks/table.js';
import { judgeTunnels } from '../../../sidecar/doctor/checks/tunnels.js';
import { iptablesUntracked } from '../../../sidecar/doctor/checks/untracked.js';
import type { DeviceDetails } from '../../../sidecar/doctor/system.js';
import { worstOf } from '../../../sidecar/doctor/finding.js';
import { parseModuleConfig } from '../../../sidecar/datapath/module/module-reading.js';
import { POLICY } from '../rules/sample-site.js';

/** An nftables that refuses commands with a word in them, and keeps what it was asked. */
function refuse(word: string): {
  readonly asked: (readonly Command[])[];
  check(commands: readonly Command[]): Promise<void>;
} {
  const asked: (readonly Command[])[] = [];
  return {
    asked,
    async check(commands) {
      asked.push(commands);
      if (JSON.stringify(commands).includes(word)) throw new NftError('EOPNOTSUPP', `no ${word}`);
    },
  };
}

/** A tunnel device of that kind, as `ip -d link` has it. */
function tunnelOf(kind: string): DeviceDetails {
  return { ifname: 'tun0', ifindex: 3, mtu: 1400, flags: ['UP'], link_type: 'none', linkinfo: { info_kind: kind } };
}

/** A listing with one rule, of these statements, as nft -j prints them. */
function ruleOf(expr: readonly Statement[]): readonly NftObject[] {
  return [{ rule: { family: 'inet', table: 't', chain: 'f', handle: 2, expr } }];
}

describe('the checks of the doctor', () => {
  it('have names of their own', () => {
    const names = CHECKS.map(({ name }) => name);

    assert.deepEqual(names, [...new Set(names)]);
  });

  it('name an old kernel, and take a new one', () => {
    assert.equal(judgeKernel('5.4.0-150-generic').severity, 'warn');
    assert.equal(judgeKernel('5.10.0-28-amd64').severity, 'ok');
    assert.equal(judgeKernel('6.18.44').severity, 'ok');
  });

  it('name a clock that starts in 1970', () => {
    assert.deepEqual([judgeClock(0).severity, judgeClock(0).found], ['error', '1970-01-01T00:00:00Z']);
  });

  it('name a connection table by how full it is', () => {
    assert.deepEqual(
      ['10', '800', '990'].map((count) => judgeConntrack(count, '1000').severity),
      ['ok', 'warn', 'error'],
    );
    assert.equal(judgeConntrack(null, null).severity, 'info');
  });

  it('say of a tunnel with data channel offload that mssfix has no effect, and never that it helps', () => {
    const facts = {
      tunnel: { device: 'tun0', mtu: 1500, hasIpv6: true },
      link: { device: 'lan0', mtu: 1500 },
      isClamped: false,
    } as const;

    const [user, offloaded, clamped] = [
      judgeMtu({ ...facts, mssfix: 'on' }),
      judgeMtu({ ...facts, mssfix: 'offloaded' }),
      judgeMtu({ ...facts, mssfix: 'offloaded', isClamped: true }),
    ];

    assert.deepEqual([user.severity, offloaded.severity, clamped.severity], ['info', 'warn', 'info']);
    assert.match(user.found, /mssfix keeps TCP below it/);
    assert.match(offloaded.found, /mssfix has no effect: full TCP segments are sent in fragments/);
    assert.match(offloaded.remedy ?? '', /tun-mtu 1428, .*maxseg size set 1368/);
    assert.deepEqual(['ovpn', 'ovpn-dco', 'tun', undefined].map(isOffloaded), [true, true, false, false]);
  });

  it('name a device with data channel offload that a killed OpenVPN left, and none of one that runs', () => {
    const cases = [
      ['ovpn', 'connecting'],
      ['ovpn-dco', 'connecting'],
      ['tun', 'connecting'],
      ['ovpn', 'ready'],
    ] as const;

    const warnings = cases.map(
      ([kind, state]) =>
        judgeTunnels({
          tunnels: [tunnelOf(kind)],
          reported: [{ management: 'unix:/m', state, device: 'tun0', transport: [], reconnects: 0, resyncs: 0 }],
          problems: [],
        }).filter(({ severity }) => severity === 'warn').length,
    );

    assert.deepEqual(warnings, [1, 1, 0, 0]);
    assert.deepEqual(
      judgeTunnels({ tunnels: [tunnelOf('ovpn')], reported: [], problems: [] }).map(({ severity }) => severity),
      ['ok'],
    );
  });

  it('find a rule that sets the MSS of TCP, and do not take one that looks at it for one', () => {
    const option = { 'tcp option': { name: 'maxseg', field: 'size' } };

    assert.equal(hasMssRule(ruleOf([{ mangle: { key: option, value: { rt: { key: 'mtu' } } } }]), ''), true);
    assert.equal(hasMssRule(ruleOf([{ match: { op: '>', left: option, right: 1300 } }]), ''), false);
    assert.equal(
      hasMssRule(
        [],
        '*mangle\n-A FORWARD -o tun0 -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1368\nCOMMIT\n',
      ),
      true,
    );
  });

  it('name forwarding that cannot be turned on from a container', () => {
    const judged = judgeForwarding({
      name: 'net/ipv4/ip_forward',
      value: '0',
      isWritable: false,
      isManaged: true,
      isRunning: false,
    });

    assert.equal(judged.severity, 'error');
    assert.match(judged.remedy ?? '', /outside of the container/);
  });

  it('name a module that is loaded and not enabled under a running sidecar', () => {
    const reading = parseModuleConfig('gwmark 1\nenabled 0\n');

    assert.equal(judgeModule({ reading, wanted: 'auto', running: 'module' }).severity, 'error');
    assert.equal(judgeModule({ reading, wanted: 'auto', running: null }).severity, 'ok');
  });

  it('name a module that is enabled while the sidecar works without it', () => {
    const reading = parseModuleConfig('gwmark 1\nenabled 1\n');

    assert.equal(judgeModule({ reading, wanted: 'nexthop', running: 'nexthop' }).severity, 'warn');
    assert.equal(judgeModule({ reading, wanted: 'auto', running: 'module' }).severity, 'ok');
  });

  it('name a bridge table that is missing under a running sidecar', () => {
    const judged = judgeTable({
      family: 'bridge',
      table: 'gwmark',
      state: 'missing',
      isRunning: true,
      firewall: 'nftables',
    });

    assert.deepEqual([judged.severity, judged.subject], ['error', 'nftables table bridge gwmark']);
  });

  it("name redirect-gateway of an OpenVPN client, and no server's options then", () => {
    const options = ['client', 'redirect-gateway', 'duplicate-cn'].map((name) => ({ name, values: [] }));

    const judged = judgeOptions({
      name: 'unix:/m',
      options: { options, unread: [] },
      authorize: 'none',
      tunnelKinds: ['tun'],
    });

    assert.deepEqual(
      judged.map(({ severity, subject }) => [severity, subject.split(': ').at(-1)]),
      [['warn', 'redirect-gateway']],
    );
  });

  it('name management-hold where the sidecar answers logins, which it cannot before it is attached', () => {
    assert.deepEqual(judgeAccepting('management-client-auth'), ['info management-hold']);
    assert.deepEqual(judgeAccepting('management-client-auth', 'management-hold'), ['ok OpenVPN at unix:/m']);
  });

  it('name rules of iptables that drop or do not track, by their table', () => {
    const saved =
      '*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp -j CT --notrack\n-A OUTPUT -j NOTRACK\n-A PREROUTING -j CT --zone 1\n*filter\n:FORWARD DROP [0:0]\n:INPUT DROP [0:0]\n';

    assert.deepEqual(iptablesUntracked(saved), ['iptables chain raw PREROUTING', 'iptables chain raw OUTPUT']);
    assert.deepEqual(legacyDropping(saved), ['iptables chain filter FORWARD']);
  });

  it('name who uses conntrack labels beside the module', () => {
    const facts = { datapath: 'module', writes: [], hasOpenvswitch: false, users: 0, firstBit: 64 } as const;
    const severity = (changes: object): string | undefined => judgeLabels({ ...facts, ...changes })[0]?.severity;

    assert.equal(severity({}), 'ok');
    assert.equal(severity({ hasOpenvswitch: true }), 'warn');
    assert.equal(severity({ users: 2 }), 'warn');
    assert.equal(severity({ users: 2, writes: [{ where: 'c', bit: 12 }] }), 'ok');
    assert.equal(severity({ users: 2, writes: [{ where: 'c', bit: 64 }] }), 'error');
  });

  it('name data channel offload by the kind of the device', () => {
    const judged = judgeOptions({
      name: 'unix:/m',
      options: { options: [], unread: [] },
      authorize: 'none',
      tunnelKinds: ['ovpn'],
    });

    assert.ok(judged.some(({ severity, subject }) => severity === 'info' && /offload/.test(subject)));
  });

  it('name the feature that a kernel lacks, and ask for each only then', async () => {
    const lacking = refuse('"fib"');
    const complete = refuse('nothing of the kind');

    const [bad, good] = [await probeFeatures(lacking, POLICY), await probeFeatures(complete, POLICY)];

    assert.deepEqual([bad.severity, bad.found], ['error', 'does not support: fib (no "fib")']);
    assert.deepEqual([good.severity, complete.asked.length], ['ok', 1]);
  });

  it('know a sidecar by its command line', () => {
    assert.ok(isSidecar({ argv: ['/usr/bin/node', '/opt/gwmark/bin/gwmark', 'run', '--config', 'x'] }));
    assert.ok(isSidecar({ argv: ['gwmark', 'run'] }));
    assert.ok(!isSidecar({ argv: ['node', '/opt/gwmark/bin/gwmark', 'doctor'] }));
    assert.ok(!isSidecar({ argv: ['vi', 'notes', 'about', 'gwmark', 'run'] }));
  });

  it('weigh the worst', () => {
    assert.equal(worstOf([]), 'ok');
    assert.equal(worstOf(['ok', 'warn', 'info']), 'warn');
  });
});

describe('who is at a management socket', () => {
  it('is read from /proc/net/unix: a connection that waits has no inode', () => {
    const table = `Num       RefCount Protocol Flags    Type St Inode Path
0000000074ff194d: 00000002 00000000 00010000 0001 01 47996 /run/m.sock
000000009e5a5d77: 00000003 00000000 00000000 0001 03 48008 /run/m.sock
000000009e5a5d78: 00000003 00000000 00000000 0001 02     0 /run/m.sock
000000009e5a5d79: 00000003 00000000 00000000 0001 03 48010 /run/m.sock2
`;

    assert.deepEqual(unixSocketUse(table, '/run/m.sock'), { listeners: new Set([47996]), accepted: new Set([48008]) });
    assert.deepEqual(
      unixPeers(
        'u_str ESTAB 0      0      /run/m.sock 48008            * 48007\nu_str ESTAB 0 0 * 1 * 2\n',
        new Set([48008]),
      ),
      new Set([48007]),
    );
  });

  it('is read from /proc/net/tcp', () => {
    const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1D51 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1
   1: 0100007F:1D51 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 101 1
   2: 0100007F:9C40 0100007F:1D51 01 00000000:00000000 00:00000000 00000000     0        0 102 1
`;

    assert.deepEqual(tcpSocketUse([table, ''], 7505), {
      listeners: new Set([100]),
      accepted: new Set([101]),
      peers: new Set([102]),
    });
  });
});

/** Severity and subject of what is said of a server with these options under authorize: accept. */
function judgeAccepting(...names: readonly string[]): readonly string[] {
  const options = names.map((name) => ({ name, values: [] }));
  return judgeOptions({
    name: 'unix:/m',
    options: { options, unread: [] },
    authorize: 'accept',
    tunnelKinds: ['tun'],
  }).map(({ severity, subject }) => `${severity} ${subject.split(': ').at(-1)}`);
}
