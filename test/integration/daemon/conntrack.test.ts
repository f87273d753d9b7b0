/** Whose entries of connection tracking are deleted. */
import assert from 'node:assert/strict';
import { clearMarks, flushClients, flushMark } from '../../../sidecar/system/conntrack.js';
import { exec } from '../../lab/process.js';
import { withoutDevStdin } from '../../lab/small-dev.js';
import { resetKernel } from '../firewall/kernel.js';
import { client } from '../firewall/rig.js';

/** Makes an entry: original source and destination, and what the reply comes from when it was translated. */
async function entry(source: string, destination: string, replySource = destination, mark = '0'): Promise<void> {
  await exec([
    'conntrack',
    '-I',
    '-p',
    'udp',
    '-t',
    '300',
    '-s',
    source,
    '-d',
    destination,
    '-r',
    replySource,
    '-q',
    source,
    '--sport',
    '1000',
    '--dport',
    '53',
    '--reply-port-src',
    '53',
    '--reply-port-dst',
    '1000',
    '-m',
    mark,
  ]);
}

/** `source>destination` of every entry, sorted. */
async function entries(): Promise<readonly string[]> {
  const texts = await Promise.all(['ipv4', 'ipv6'].map((family) => exec(['conntrack', '-L', '-f', family])));
  return texts
    .flatMap((text) => text.split('\n'))
    .flatMap((line) => {
      const [, source, destination] = /src=(\S+) dst=(\S+)/.exec(line) ?? [];
      return source === undefined ? [] : [`${source}>${destination ?? ''}`];
    })
    .toSorted();
}

describe('connection tracking', () => {
  beforeEach(async () => {
    await resetKernel();
    await exec(['conntrack', '-F']);
  });
  after(async () => {
    await exec(['conntrack', '-F']);
  });

  it('loses the flows to and from a client that left, and no others', async () => {
    await entry('203.0.113.1', '198.51.100.2');
    await entry('198.51.100.2', '203.0.113.1');
    await entry('203.0.113.1', '198.51.100.3');
    await entry('2001:db8:1::1', '2001:db8:8::1000');
    await entry('2001:db8:1::1', '2001:db8:8::1001');

    await flushClients([client('198.51.100.2'), client('2001:db8:8::1000')]);

    assert.deepEqual(await entries(), ['2001:db8:1::1>2001:db8:8::1001', '203.0.113.1>198.51.100.3']);
  });

  it('loses the flows of subnets behind a client', async () => {
    await entry('203.0.113.1', '10.99.1.1');
    await entry('10.99.200.1', '203.0.113.1');
    await entry('203.0.113.1', '10.98.1.1');
    await entry('2001:db8:1::1', '2001:db8:77::5');
    await entry('2001:db8:1::1', '2001:db8:78::5');

    await flushClients([client('10.99.0.0/16'), client('2001:db8:77::/64')]);

    assert.deepEqual(await entries(), ['2001:db8:1::1>2001:db8:78::5', '203.0.113.1>10.98.1.1']);
  });

  it('loses a flow that was translated to the client', async () => {
    await entry('203.0.113.1', '192.0.2.5', '198.51.100.2');
    await entry('203.0.113.2', '192.0.2.5', '198.51.100.3');

    await flushClients([client('198.51.100.2')]);

    assert.deepEqual(await entries(), ['203.0.113.2>192.0.2.5']);
  });

  it('takes a mixture of hosts and subnets of both families at once', async () => {
    for (const destination of ['198.51.100.2', '10.99.1.1', '2001:db8:8::1000', '2001:db8:77::1'])
      await entry(destination.includes(':') ? '2001:db8:1::1' : '203.0.113.1', destination);

    await flushClients(
      ['198.51.100.2', '10.99.0.0/16', '2001:db8:8::1000', '2001:db8:77::/64', '198.51.100.77'].map(client),
    );

    assert.deepEqual(await entries(), []);
  });

  it('is content where there is nothing to delete', async () => {
    await flushClients([client('198.51.100.2'), client('10.99.0.0/16')]);
    await flushMark(0x1000000, 0xff000000);
    await clearMarks(0xff000000);
  });

  it('loses the flows of one gateway’s mark', async () => {
    await entry('203.0.113.1', '198.51.100.2', undefined, '0x01000032');
    await entry('203.0.113.2', '198.51.100.2', undefined, '0x02000032');

    await flushMark(0x1000000, 0xff000000);

    assert.deepEqual(await entries(), ['203.0.113.2>198.51.100.2']);
  });

  it('keeps flows, and other people’s bits of their marks, when ours are cleared', async () => {
    await entry('203.0.113.1', '198.51.100.2', undefined, '0x01000032');

    await clearMarks(0xff000000);

    assert.match(await exec(['conntrack', '-L']), /src=203\.0\.113\.1 .*mark=50 /);
  });

  it('loses the flows of a client that left where there is no /dev/stdin', async () => {
    await entry('203.0.113.1', '198.51.100.2');

    await withoutDevStdin(
      import.meta.resolve('../../../sidecar/system/conntrack.js'),
      `await imported.flushClients(${JSON.stringify([client('198.51.100.2')])})`,
    );

    assert.deepEqual(await entries(), []);
  });

  it('clears thousands of marks', async () => {
    const lines = Array.from(
      { length: 2000 },
      (_, index) =>
        `-I -p udp -t 300 -s 203.0.${index >> 8}.${index & 255} -d 198.51.100.2 --sport 1000 --dport 53 -m 0x01000000`,
    );
    await exec(['sh', '-c', 'cat | conntrack --load-file -'], { input: `${lines.join('\n')}\n` });

    await clearMarks(0xff000000);

    const listed = (await exec(['conntrack', '-L'])).trim().split('\n');
    assert.equal(listed.length, 2000);
    assert.deepEqual(
      listed.filter((line) => !line.includes(' mark=0 ')),
      [],
    );
  });
});
