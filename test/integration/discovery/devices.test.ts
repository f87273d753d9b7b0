/** What is found of real devices, sockets and processes. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { readDevices, tunnelsWithAddress } from '../../../sidecar/discovery/devices.js';
import { readBoundSockets, socketInodesOf } from '../../../sidecar/discovery/sockets.js';
import { network } from '../../unit/rules/sample-site.js';
import { ip, makeLan, makeTunnel, resetKernel, setSysctl } from '../firewall/kernel.js';

/** Names of the links. */
async function linksOf(wanted: readonly string[]): Promise<readonly string[]> {
  return (await readDevices(wanted)).links.map(({ device }) => device).toSorted();
}

describe('readDevices', () => {
  beforeEach(resetKernel);
  after(resetKernel);

  it('takes Ethernet devices that are up, and neither loopback nor tunnels', async () => {
    await makeLan('lan0', '192.0.2.5/24');
    await makeTunnel('tun0', '198.51.100.1/24');
    await ip('link set lan0p down', 'link add off0 type veth peer name off0p');

    assert.deepEqual(
      (await readDevices([])).links.map(({ device }) => device),
      ['lan0'],
    );
  });

  it('takes a bridge for its ports, and minds no dot in a name', async () => {
    await makeLan('lan0', '192.0.2.5/24');
    await makeLan('port0');
    await makeLan('lan0.7', '10.7.0.1/16');
    await ip(
      'link add br0 type bridge',
      'link set port0 master br0',
      'link set br0 up',
      'addr add 203.0.113.1/24 dev br0',
    );

    const { links } = await readDevices(['br0', 'lan0', 'lan0.7', 'port0']);

    assert.deepEqual(links.map(({ device }) => device).toSorted(), ['br0', 'lan0', 'lan0.7']);
    assert.deepEqual(links.find(({ device }) => device === 'lan0.7')?.onlink, [network('10.7.0.0/16')]);
  });

  it('takes a tap device for a link as it takes a card, for its peers have MAC addresses, unless it is in a bridge or not among the wanted', async () => {
    await makeLan('lan0', '192.0.2.5/24');
    await ip(
      'link set lan0p down',
      'tuntap add dev tap0 mode tap',
      'link set tap0 up',
      'tuntap add dev tap1 mode tap',
      'link set tap1 up',
      'link add br0 type bridge',
      'link set tap1 master br0',
      'link set br0 up',
    );
    assert.deepEqual(await linksOf([]), ['br0', 'lan0', 'tap0']);
    assert.deepEqual(await linksOf(['lan0']), ['lan0']);
    assert.deepEqual((await readDevices([])).taps.toSorted(), ['tap0', 'tap1']);
  });

  it('reads addresses, networks on the link and families', async () => {
    await makeLan('lan0', '192.0.2.5/24', '192.0.2.6/24', '203.0.113.9/32', '2001:db8:1::5/64');

    const [link] = (await readDevices(['lan0'])).links;

    assert.deepEqual(link?.onlink, [network('192.0.2.0/24'), network('203.0.113.9'), network('2001:db8:1::/64')]);
    assert.deepEqual(
      link?.addresses.filter((address) => !address.startsWith('fe80')),
      ['192.0.2.5', '203.0.113.9', '192.0.2.6', '2001:db8:1::5'],
    );
    assert.deepEqual(link?.families, [4, 6]);
    setSysctl('net/ipv6/conf/lan0/disable_ipv6', '1');
    assert.deepEqual((await readDevices(['lan0'])).links[0]?.families, [4]);
  });

  it('finds rp_filter in force when it is on for all devices or for this one', async () => {
    await makeLan('lan0');
    for (const [all, own, expected] of [
      ['0', '0', false],
      ['1', '0', true],
      ['0', '2', true],
    ] as const) {
      setSysctl('net/ipv4/conf/all/rp_filter', all);
      setSysctl('net/ipv4/conf/lan0/rp_filter', own);
      assert.equal((await readDevices(['lan0'])).links[0]?.hasReversePathFilter, expected, `${all} ${own}`);
    }
    setSysctl('net/ipv4/conf/all/rp_filter', '0');
  });

  it('refuses a wanted device that is no Ethernet device, and waits for one that is not there yet', async () => {
    await makeTunnel('tun0', '198.51.100.1/24');

    await assert.rejects(readDevices(['tun0']), { code: 'DEVICE_UNKNOWN', message: /tun0 is not an Ethernet device/ });
    const absent = await readDevices(['eth7']);
    assert.deepEqual([absent.links, absent.unusable], [[], [{ device: 'eth7', reason: 'does not exist' }]]);
  });

  it('knows a tunnel by its addresses, and what main sends to it', async () => {
    await makeTunnel('tun0', '198.51.100.1/24', '2001:db8:8::1/64');
    await makeTunnel('tun1', '10.64.0.1/16');
    await ip(
      'route add 10.99.0.0/16 dev tun0',
      'route add 203.0.113.7 dev tun0',
      'route add 10.98.0.0/16 dev tun0 table 500',
    );

    const devices = await readDevices([]);

    const [tunnel] = tunnelsWithAddress(devices, ['2001:db8:8::1']);
    assert.equal(tunnel?.device, 'tun0');
    assert.deepEqual(tunnel?.addresses, [network('198.51.100.1'), network('2001:db8:8::1')]);
    assert.deepEqual([...(tunnel?.covered ?? [])].map(({ address }) => address).toSorted(), [
      '10.99.0.0',
      '198.51.100.0',
      '2001:db8:8::',
      '203.0.113.7',
    ]);
    assert.deepEqual(tunnel?.connected, [network('198.51.100.0/24'), network('2001:db8:8::/64')]);
    assert.equal(tunnelsWithAddress(devices, ['192.0.2.77']).length, 0);
    await ip('link set tun0 down');
    assert.equal(
      tunnelsWithAddress(await readDevices([]), ['198.51.100.1']).length,
      0,
      'a tunnel that is down carries nobody',
    );
  });

  it('has the families of a tunnel without IPv6 right', async () => {
    await makeTunnel('tun0', '198.51.100.1/24');
    setSysctl('net/ipv6/conf/tun0/disable_ipv6', '1');

    assert.deepEqual((await readDevices([])).tunnels[0]?.families, [4]);
  });
});

describe('readBoundSockets', () => {
  before(resetKernel);

  it('finds bound UDP and listening TCP sockets of this namespace, of both families', async () => {
    const server = createServer().listen(4443, '::1');
    const datagrams = createSocket('udp4');
    await Promise.all([
      new Promise((resolve) => server.once('listening', resolve)),
      new Promise<void>((resolve) => datagrams.bind(1194, '127.0.0.1', resolve)),
    ]);

    const sockets = await readBoundSockets();

    assert.ok(
      sockets.some(
        ({ protocol, family, address, port }) =>
          protocol === 'tcp' && family === 6 && address === '::1' && port === 4443,
      ),
    );
    assert.ok(
      sockets.some(
        ({ protocol, family, address, port, inode }) =>
          protocol === 'udp' && family === 4 && address === '127.0.0.1' && port === 1194 && inode > 0,
      ),
    );
    server.close();
    datagrams.close();
  });

  it('knows the sockets of a process, whatever its program is called, and nothing of one that is not there', async () => {
    const datagrams = createSocket('udp4');
    await new Promise<void>((resolve) => datagrams.bind(1194, '127.0.0.1', resolve));

    const inodes = await socketInodesOf(process.pid);

    assert.ok((await readBoundSockets()).some(({ port, inode }) => port === 1194 && inodes?.has(inode) === true));
    datagrams.close();
    assert.equal(await socketInodesOf(0x7fff_ffff), null);
  });
});
