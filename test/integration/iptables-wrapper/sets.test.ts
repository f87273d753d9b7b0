/** What the real ipset does beyond the contract. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { openIpset, openIptables, type Ipset } from 'iptables-wrapper';
import { IN, PREFIX, refusal } from './contract-fixture.js';
import { clear, LOCK_FILE, testableFlavours } from './kernel.js';

const [flavour = 'nft'] = await testableFlavours();

describe('the real ipset', () => {
  let ipset: Ipset;

  beforeEach(async () => {
    clear(flavour);
    ipset = await openIpset();
  });

  afterEach(async () => {
    await ipset[Symbol.asyncDispose]();
    clear(flavour);
  });

  it('lists sets that others made, of any type and with any option', async () => {
    restore(
      'create ports bitmap:port range 1-1000 comment counters',
      'add ports 22 comment "timeout 5 skbmark 0x1"',
      'create pairs hash:ip,port family inet6 forceadd timeout 0 skbinfo',
      'add pairs 2001:db8::1,udp:53 skbmark 0x1/0xff skbprio 1:10 skbqueue 3 timeout 100',
    );

    const sets = await ipset.list();

    assert.deepEqual(
      sets.map(({ elements, ...set }) => ({ ...set, values: elements.map(({ value, mark }) => [value, mark]) })),
      [
        { name: 'ports', type: 'bitmap:port', hasMarks: false, values: [['22', undefined]] },
        {
          name: 'pairs',
          type: 'hash:ip,port',
          family: 6,
          timeoutSeconds: 0,
          maxElements: 65_536,
          hasMarks: true,
          values: [['2001:db8::1,udp:53', { value: 1, mask: 255 }]],
        },
      ],
    );
  });

  it('replaces tens of thousands of elements while a rule refers to the set', async () => {
    const elements = Array.from({ length: 30_000 }, (_, index) => ({ value: `10.${index >> 8}.${index & 255}.1` }));
    await ipset.run([{ create: { name: 'clients', type: 'hash:ip' } }]);
    await using iptables = await openIptables({ prefix: PREFIX, flavour, lockFile: LOCK_FILE });
    await iptables.run([
      { create: { ...IN, rules: [['-m', 'set', '--match-set', 'clients', 'dst', '-j', 'RETURN']] } },
    ]);

    await ipset.replace({ name: 'clients', type: 'hash:ip' }, elements);

    const [clients] = await ipset.list('clients');
    assert.equal(clients?.elements.length, 30_000);
  });

  it('replaces a set after a run that was killed half way, and by one of another size', async () => {
    restore('create clients hash:ip maxelem 3', 'create clients~ hash:net timeout 7');

    await ipset.replace({ name: 'clients', type: 'hash:ip', maxElements: 10 }, [{ value: '10.8.0.2' }]);

    assert.deepEqual(await ipset.list(), [
      {
        name: 'clients',
        type: 'hash:ip',
        family: 4,
        maxElements: 10,
        hasMarks: false,
        elements: [{ value: '10.8.0.2' }],
      },
    ]);
  });

  it('does not replace a set of another type', async () => {
    restore('create clients hash:net');

    const error = await refusal(ipset.replace({ name: 'clients', type: 'hash:ip' }, []));

    assert.equal(error.code, 'EINVAL');
    assert.deepEqual(
      (await ipset.list()).map(({ name, type }) => [name, type]),
      [['clients', 'hash:net']],
    );
  });

  it('renews the timeout of an element that is put', async () => {
    await ipset.run([
      { create: { name: 'brief', type: 'hash:ip', timeoutSeconds: 10 } },
      { add: { name: 'brief', elements: [{ value: '10.8.0.2' }] } },
    ]);

    await ipset.run([{ put: { name: 'brief', elements: [{ value: '10.8.0.2', timeoutSeconds: 5000 }] } }]);

    const [brief] = await ipset.list('brief');
    assert.ok((brief?.elements[0]?.timeoutSeconds ?? 0) > 4000);
  });

  it('takes every type of set that this kernel has, and is refused the others with EOPNOTSUPP', async () => {
    const missing = ['hash:mac', 'hash:net'].find(
      (type) => spawnSync('ipset', ['create', 'probe', type]).status !== 0,
    );
    spawnSync('ipset', ['destroy', 'probe']);
    if (missing !== 'hash:mac') {
      // This kernel has all of them: what is left to show is that it takes them.
      await ipset.run([{ create: { name: 'macs', type: 'hash:mac' } }]);
      return;
    }

    const error = await refusal(ipset.run([{ create: { name: 'macs', type: 'hash:mac' } }]));

    assert.equal(error.code, 'EOPNOTSUPP');
    assert.equal(
      error.message,
      'create set macs: create macs hash:mac: Kernel error received: set type not supported',
    );
  });

  it('is UNAVAILABLE where there is no program', async () => {
    const error = await refusal(openIpset({ program: '/absent/ipset' }));

    assert.equal(error.code, 'UNAVAILABLE');
    assert.match(error.message, /^\/absent\/ipset cannot be started/u);
  });

  it('refuses a user without rights with EPERM', () => {
    const script = `
      const { openIpset } = await import(process.argv[1]);
      await openIpset().then(() => console.log('opened'), (error) => console.log(error.code, error.message));`;

    const { stdout } = spawnSync(
      process.execPath,
      ['--input-type=module', '--eval', script, import.meta.resolve('iptables-wrapper')],
      { uid: 65534, gid: 65534, encoding: 'utf8' },
    );

    assert.match(stdout, /^EPERM ipset: .*Operation not permitted/u);
  });
});

function restore(...lines: readonly string[]): void {
  execFileSync('ipset', ['restore'], { input: lines.map((line) => `${line}\n`).join('') });
}
