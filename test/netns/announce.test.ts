/**
 * Clients with addresses in the LAN's own network, which the endpoint answers ARP and ND for: nobody has a route for
 * the VPN.
 */
import assert from 'node:assert/strict';

import { Capture } from '../lab/capture.js';
import { PROTOCOL } from '../lab/frame.js';
import { type NetworkState, networkState } from '../lab/network-state.js';
import { NET_ADMIN_ALONE } from '../lab/sidecar.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { exchange, ping } from '../lab/traffic.js';
import { FAMILIES, ON_LAN, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { announces, isAnswered, knownMac, proxies } from './announced.js';

const REDIRECT = { v4: 5, v6: 137 } as const;

describe('an endpoint that announces its clients', function () {
  this.timeout(patient(120_000));
  let lab: VpnLab;
  let pristine: NetworkState;

  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4', isOnLan: true });
    // A kernel that would tell a host of a better way, if it knew one.
    await lab.topology.endpoint.sysctl(
      ...['all', 'default', 'lan0'].map((device) => `net.ipv4.conf.${device}.send_redirects=1`),
    );
    pristine = await networkState(lab.topology.endpoint);
    await lab.startSidecar('--announce', 'proxy');
    await lab.introduceRouters();
    await lab.connect('client1');
    await announces(lab, 2);
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  it('lets hosts on the LAN and behind routers reach them, without a route for the VPN anywhere', async () => {
    await using capture = await lab.capture();
    for (const family of FAMILIES) {
      for (const host of ['local', 'hostA', 'hostB'] as const) {
        const client = lab.party('client1', family);
        assert.equal((await ping(lab.party(host, family), client)).received, 3, `${host} pings, IP${family}`);
        for (const protocol of ['udp', 'tcp'] as const) {
          const result = await exchange(protocol, lab.party(host, family), client);
          assert.ok(result.ok, `${host} over ${protocol}, IP${family}: ${JSON.stringify(result)}`);
        }
      }
      assert.equal(await knownMac(lab, ON_LAN.client1[family]), MAC.endpoint);
    }

    const frames = (await capture.frames()).filter(({ sourceMac }) => sourceMac === MAC.endpoint);
    for (const family of FAMILIES) {
      const answers = frames.filter(({ ip }) => ip?.source === ON_LAN.client1[family]);
      for (const [host, mac] of [
        ['local', MAC.local],
        ['hostA', MAC.r1],
        ['hostB', MAC.r2],
      ] as const) {
        const ofHost = answers.filter(({ ip }) => ip?.destination === ADDRESS[host][family]);
        assert.ok(ofHost.length > 0);
        assert.deepEqual([...new Set(ofHost.map(({ destinationMac }) => destinationMac))], [mac], `to ${host}`);
        assert.deepEqual([...new Set(ofHost.map(({ ip }) => ip?.ttl))], [63], 'one hop less than the client sent');
      }
      const { icmp, icmp6 } = PROTOCOL;
      assert.deepEqual(
        frames.filter(
          ({ ip, icmp: message }) =>
            ip?.protocol === (family === 'v4' ? icmp : icmp6) && message?.type === REDIRECT[family],
        ),
        [],
        'no redirect',
      );
    }
  });

  it('lets clients open flows to the LAN', async () => {
    for (const family of FAMILIES)
      for (const host of ['local', 'hostA'] as const)
        assert.equal((await ping(lab.party('client1', family), lab.party(host, family))).received, 3);
  });

  it('announces the addresses of subnets behind clients, and names one that is too large', async () => {
    await lab.server.configureClient('client2', {
      address: ON_LAN.client2.v4,
      address6: ON_LAN.client2.v6,
      subnets: ['192.0.2.144 255.255.255.248'],
      subnets6: ['2001:db8::1:8000/113'],
    });
    await lab.connect('client2');
    await announces(lab, 12);

    const found = await proxies(lab);
    assert.ok(found.includes('192.0.2.144') && found.includes('192.0.2.151'));
    const { announcements } = await lab.sidecar.status();
    assert.deepEqual(announcements?.omitted, [{ network: '2001:db8::1:8000/113', device: 'lan0' }]);
    await lab.sidecar.event('announce.omitted');
  });

  it('ends the announcement of a client that leaves', async () => {
    await lab.client('client2').stop();
    await lab.server.configureClient('client2', { address: ON_LAN.client2.v4, address6: ON_LAN.client2.v6 });
    await announces(lab, 2);

    assert.deepEqual(await proxies(lab), [ON_LAN.client1.v4, ON_LAN.client1.v6]);
    for (const family of FAMILIES) {
      assert.equal(await isAnswered(lab, ON_LAN.client2[family]), false, `nobody answers for it, IP${family}`);
      assert.equal(await isAnswered(lab, ON_LAN.client1[family]), true);
    }
  });

  it('tells hosts that had another MAC address for the client', async () => {
    const other = '02:00:00:00:00:99';
    await lab.topology.local.ip(
      ...FAMILIES.map((family) => `neigh replace ${ON_LAN.client2[family]} dev lan0 lladdr ${other} nud reachable`),
    );
    await lab.connect('client2');

    for (const family of FAMILIES)
      await eventually(async () => (await knownMac(lab, ON_LAN.client2[family])) === MAC.endpoint, {
        what: `the host learns the new MAC, IP${family}`,
      });
    await lab.client('client2').stop();
    await announces(lab, 2);
  });

  it('announces again after its link was down, and with the new MAC address of its link', async () => {
    const from = lab.sidecar.log.length;
    await lab.topology.endpoint.ip('link set lan0 down', 'link set lan0 up');
    await lab.topology.endpoint.ip('address replace 2001:db8::10/64 dev lan0');
    await eventually(async () => (await proxies(lab)).length === 2, { what: 'both addresses after the link came' });
    await announces(lab, 2);

    const mac = '02:00:00:00:00:77';
    for (const family of FAMILIES) await isAnswered(lab, ON_LAN.client1[family], { isKept: true });
    await lab.topology.endpoint.ip(`link set lan0 address ${mac}`);
    for (const family of FAMILIES)
      await eventually(async () => (await knownMac(lab, ON_LAN.client1[family])) === mac, {
        what: `the host learns the new MAC, IP${family}`,
      });

    await lab.topology.endpoint.ip(`link set lan0 address ${MAC.endpoint}`);
    for (const family of FAMILIES)
      await eventually(async () => (await knownMac(lab, ON_LAN.client1[family])) === MAC.endpoint, {
        what: `the host learns the old MAC, IP${family}`,
      });
    assert.equal(lab.sidecar.log.slice(from).filter(({ event }) => event === 'announce.taken').length, 0);
  });

  it('goes on without its sidecar, and catches up with what happened meanwhile', async () => {
    await lab.connect('client2');
    await announces(lab, 4);
    await using capture = await Capture.start(lab.topology.switch, 'to-endpoint', 'arp');
    await lab.sidecar.killHard();
    for (const family of FAMILIES) assert.equal(await isAnswered(lab, ON_LAN.client1[family]), true);
    await lab.client('client2').stop();
    await lab.sidecar.restart();
    await announces(lab, 2);

    assert.deepEqual(await proxies(lab), [ON_LAN.client1.v4, ON_LAN.client1.v6]);
    const asked = (await capture.frames()).filter(
      ({ sourceMac, arp }) => sourceMac === MAC.endpoint && arp?.operation === 1 && arp.target === ON_LAN.client1.v4,
    );
    assert.deepEqual(asked, [], 'what it answers for already is not looked for again');
  });

  it('leaves nothing behind after "gwmark down", and no entry of another program is touched', async () => {
    await lab.topology.endpoint.ip('neigh add proxy 192.0.2.200 dev lan0');
    await lab.sidecar.stop();

    assert.match(await lab.sidecar.down(), /2 proxy neighbours/);

    assert.deepEqual(await proxies(lab), ['192.0.2.200']);
    await lab.topology.endpoint.ip('neigh del proxy 192.0.2.200 dev lan0');
    // iptables-nft keeps its base chains; test/iptables has what rules leave behind.
    const left = { ...(await networkState(lab.topology.endpoint)), ruleset: '' };
    assert.deepEqual(left, { ...pristine, ruleset: '' });
  });
});

describe('an endpoint that announces its clients with CAP_NET_ADMIN alone and a strict rp_filter', function () {
  this.timeout(patient(120_000));

  it('answers for them, and says that it does not tell hosts that had another MAC address', async () => {
    await using lab = await VpnLab.create({
      transport: 'tcp4',
      isOnLan: true,
      rpFilter: 1,
      sidecarPrefix: NET_ADMIN_ALONE,
    });
    await lab.startSidecar('--announce', 'proxy', '--transport', 'tcp/1194');
    await lab.connect('client1');
    await announces(lab, 2);

    for (const family of FAMILIES)
      for (const host of ['local', 'hostA'] as const)
        assert.equal((await ping(lab.party(host, family), lab.party('client1', family))).received, 3);
    const { announcements, firewall } = await lab.sidecar.status();
    // With iptables, the unit has CAP_NET_RAW.
    assert.equal(/CAP_NET_RAW/.test(announcements?.silent ?? ''), firewall === 'nftables');
  });
});
