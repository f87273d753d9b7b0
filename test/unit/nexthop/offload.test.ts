import assert from 'node:assert/strict';
import { NftError } from 'nftables-json';
import {
  Offload,
  type OffloadDevice,
  type OffloadKernel,
  hasNewTunnel,
  hasOtherMtu,
} from '../../../sidecar/datapath/nexthop/offload.js';
import { legacyBypassedChains, nftBypassedChains } from '../../../sidecar/firewall/bypassed-chains.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';

interface FakeKernel extends OffloadKernel {
  generation: number | undefined;
  bypassed: readonly string[];
  renewals: number;
}

/** A kernel that offloads, where nobody else has rules. */
function kernel(overrides: Partial<OffloadKernel> = {}): FakeKernel {
  const fake: FakeKernel = {
    generation: 1,
    bypassed: [],
    renewals: 0,
    othersGeneration: async () => fake.generation,
    bypassedChains: async () => fake.bypassed,
    check: async () => undefined,
    flows: {
      refusal: null,
      renew: async () => {
        fake.renewals += 1;
        return true;
      },
    },
    ...overrides,
  };
  return fake;
}

async function started(
  setting: 'auto' | 'on' | 'off',
  fake: OffloadKernel | string,
): Promise<{ subject: Offload; changes: () => number; log: ReturnType<typeof captureLog> }> {
  let changes = 0;
  const log = captureLog();
  const subject = new Offload({ setting, kernel: fake, onChanged: () => (changes += 1), logger: log.logger });
  await subject.start();
  return { subject, changes: () => changes, log };
}

const TUN0: OffloadDevice = { device: 'tun0', index: 5, mtu: 1500, isTunnel: true };
const LAN0: OffloadDevice = { device: 'lan0', index: 2, mtu: 1500, isTunnel: false };

describe('Offload', () => {
  it('is on where nobody else has rules, and says nothing with the setting off', async () => {
    const auto = await started('auto', kernel());
    assert.deepEqual([auto.subject.isOn, auto.changes()], [true, 1]);
    const off = await started('off', kernel({ check: () => assert.fail('asked') }));
    assert.deepEqual([off.subject.isOn, off.subject.status], [false, null]);
  });

  it('is off with auto where another program has rules, on with the setting on, and names them', async () => {
    const fake = kernel();
    fake.bypassed = ['nftables chain inet a forward', 'b', 'c', 'd'];
    const auto = await started('auto', fake);
    const on = await started('on', fake);

    assert.deepEqual(
      [auto.subject.isOn, auto.subject.status?.reason],
      [false, 'offloaded packets would bypass nftables chain inet a forward, b, c and 1 more'],
    );
    assert.deepEqual(
      [on.subject.isOn, on.subject.status?.reason],
      [true, 'offloaded packets bypass nftables chain inet a forward, b, c and 1 more'],
    );
  });

  for (const [what, fake, reason] of [
    [
      'has no flowtables',
      kernel({ check: () => Promise.reject(new NftError('ENOENT', 'No such file or directory')) }),
      /this kernel has no flowtables/,
    ],
    ['tells no generation', kernel({ othersGeneration: async () => undefined }), /executor: process/],
    ['is told by iptables', 'only rules made by nftables can offload', /nftables/],
  ] as const) {
    it(`is off and says so where the kernel ${what}`, async () => {
      const on = await started('on', fake);
      const auto = await started('auto', fake);

      for (const { subject } of [on, auto]) {
        assert.equal(subject.isOn, false);
        assert.match(subject.status?.reason ?? '', reason);
        await subject.look();
        await subject.clientLeft();
      }
      assert.equal(on.log.of('offload.unsupported').length, 1);
      assert.equal(auto.log.of('offload.unsupported').length, 0);
    });
  }

  it('renews when another program changed rules, and only then', async () => {
    const fake = kernel();
    const { subject } = await started('on', fake);

    await subject.look();
    assert.equal(fake.renewals, 0);
    fake.generation = 2;
    await subject.look();
    assert.equal(fake.renewals, 1);
  });

  it('ends with auto when another program adds a rule, and begins again without it', async () => {
    const fake = kernel();
    const { subject, changes } = await started('auto', fake);

    fake.generation = 2;
    fake.bypassed = ['nftables chain inet later forward'];
    await subject.look();
    assert.deepEqual([subject.isOn, changes()], [false, 2]);

    fake.generation = 3;
    fake.bypassed = [];
    await subject.look();
    assert.deepEqual([subject.isOn, changes()], [true, 3]);
  });

  it('looks again after a look that failed', async () => {
    let isBroken = true;
    const fake = kernel({
      bypassedChains: () => (isBroken ? Promise.reject(new Error('busy')) : Promise.resolve([])),
    });
    const { subject } = await started('auto', fake);
    assert.equal(subject.isOn, false);

    isBroken = false;
    await subject.look();

    assert.equal(subject.isOn, true);
  });

  it('renews when a flow was learnt from another gateway, not when the counter began again', async () => {
    const fake = kernel();
    const { subject } = await started('on', fake);

    for (const count of [0, 3, 3, 0]) subject.relearnt(count);
    await subject.close();

    assert.equal(fake.renewals, 1);
  });

  it('renews when a tunnel is another device, and when an MTU changed', async () => {
    const fake = kernel();
    const { subject } = await started('on', fake);
    subject.devicesRead([LAN0, TUN0]);
    await subject.close();
    const before = fake.renewals;

    subject.devicesRead([LAN0, TUN0]);
    await subject.close();
    assert.equal(fake.renewals, before);
    subject.devicesRead([LAN0, { ...TUN0, index: 6 }]);
    await subject.close();
    assert.equal(fake.renewals, before + 1);
    subject.devicesRead([
      { ...LAN0, mtu: 1400 },
      { ...TUN0, index: 6 },
    ]);
    await subject.close();
    assert.equal(fake.renewals, before + 2);
    assert.ok(!hasNewTunnel([TUN0], [LAN0, TUN0]) && !hasOtherMtu([], [LAN0]));
  });

  it('renews once for all that ask while a renewal waits, and each of them waits for it', async () => {
    const fake = kernel();
    const { subject } = await started('on', fake);

    await Promise.all([subject.clientLeft(), subject.clientLeft(), subject.rulesChanged()]);

    assert.equal(fake.renewals, 1);
  });

  it('says what the kernel refused, and reports a renewal that failed', async () => {
    const refusing = kernel({
      flows: { refusal: 'No such file or directory', renew: () => Promise.reject(new Error('busy')) },
    });
    const { subject, log } = await started('on', refusing);

    assert.deepEqual(subject.status, {
      isOn: false,
      reason: 'the kernel refuses: No such file or directory',
      renewals: 0,
    });
    await subject.clientLeft();
    assert.equal(log.of('offload.not_renewed').length, 1);
  });
});

const chain = (extra: object): object => ({
  chain: {
    family: 'inet',
    table: 'fw',
    name: 'c',
    type: 'filter',
    hook: 'forward',
    prio: 0,
    policy: 'accept',
    ...extra,
  },
});
const rule = (table = 'fw'): object => ({ rule: { family: 'inet', table, chain: 'c', handle: 1, expr: [] } });
const found = (...objects: object[]): readonly string[] =>
  nftBypassedChains(objects as Parameters<typeof nftBypassedChains>[0], 'gwmark');

describe('chains that offloaded packets bypass', () => {
  it('are those of filters with a rule or a policy that drops', () => {
    assert.deepEqual(found(chain({}), rule()), ['nftables chain inet fw c']);
    assert.deepEqual(found(chain({ policy: 'drop' })), ['nftables chain inet fw c']);
    assert.deepEqual(found(chain({ hook: 'postrouting', type: 'route' }), rule()).length, 1);
  });

  it('are not empty ones, translation of addresses, other hooks, other families, or ours', () => {
    assert.deepEqual(found(chain({})), []);
    for (const extra of [{ type: 'nat' }, { hook: 'input' }, { hook: undefined }])
      assert.deepEqual(found(chain(extra), rule()), [], JSON.stringify(extra));
    assert.deepEqual(found(chain({ family: 'bridge' }), rule()), []);
    assert.deepEqual(found(chain({ table: 'gwmark' }), rule('gwmark')), []);
  });

  it('of iptables-legacy are read from what it saves', () => {
    const saved =
      '*nat\n-A POSTROUTING -j MASQUERADE\n*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n-A FORWARD -j x\n-A x -j DROP\n*mangle\n-A PREROUTING -j MARK\nCOMMIT\n';
    assert.deepEqual(legacyBypassedChains(saved, 'iptables'), [
      'iptables chain filter FORWARD',
      'iptables chain mangle PREROUTING',
    ]);
  });
});
