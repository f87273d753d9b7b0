import assert from 'node:assert/strict';

import { resolveSettings } from '../../../sidecar/config/resolve.js';
import { flagValues } from '../../../sidecar/config/sources.js';
import { settingOf, type SettingPath } from '../../../sidecar/config/table.js';
import { yamlValues } from '../../../sidecar/config/yaml-source.js';

type Outcome = { readonly value: unknown } | { readonly expected: readonly string[] };

function fromFlags(given: Readonly<Partial<Record<SettingPath, string>>>, wanted: SettingPath): Outcome {
  // Object.entries widens the keys, which are setting paths.
  const { values } = flagValues(new Map(Object.entries(given) as [SettingPath, string][]));
  return outcome(resolveSettings(values, '/'), wanted);
}

function fromYaml(text: string, wanted: SettingPath): Outcome {
  return outcome(resolveSettings(yamlValues(text, 'f').values, '/'), wanted);
}

function outcome({ flat, problems }: ReturnType<typeof resolveSettings>, wanted: SettingPath): Outcome {
  return problems.length === 0 ? { value: flat[wanted] } : { expected: problems.map(({ expected }) => expected) };
}

function accepts(path: SettingPath, text: string, value: unknown): void {
  assert.deepEqual(fromFlags({ [path]: text }, path), { value }, `${path} ${text}`);
}

function refuses(path: SettingPath, ...texts: readonly string[]): void {
  for (const text of texts)
    assert.ok('expected' in fromFlags({ [path]: text }, path), `${path} accepted ${JSON.stringify(text)}`);
}

describe('kinds of settings', () => {
  it('takes whole numbers in their range and nothing else', () => {
    accepts('routing.protocol', '5', 5);
    accepts('routing.protocol', '255', 255);
    refuses('routing.protocol', '4', '256', '-1', '5.5', '5ms', '0x10', '1e2', ' 5', '', '99999999999999999999');
    assert.ok('expected' in fromYaml('routing: {protocol: "147"}', 'routing.protocol'));
    assert.ok('expected' in fromYaml('routing: {protocol: 147.5}', 'routing.protocol'));
    assert.ok('expected' in fromYaml('routing: {protocol: true}', 'routing.protocol'));
  });

  it('takes a mask of 2..8 contiguous bits, hexadecimal or decimal, from YAML also quoted', () => {
    accepts('mark.mask', '0xff000000', 0xff00_0000);
    accepts('mark.mask', '4278190080', 0xff00_0000);
    accepts('mark.mask', '0xFF', 255);
    assert.deepEqual(fromYaml('mark: {mask: 0xff0000}', 'mark.mask'), { value: 0xff_0000 });
    assert.deepEqual(fromYaml('mark: {mask: "0xff0000"}', 'mark.mask'), { value: 0xff_0000 });
    assert.equal(
      resolveSettings(flagValues(new Map([['mark.mask', '0']])).values, '/').problems.length,
      1,
      'said once',
    );
    refuses('mark.mask', '0', '0x1', '0x80000000', '0x5', '0x1ff', '0xffffffff', '0x1ff000000', '-1', 'ff', '');
  });

  it('refuses more gateways than the mask has numbers for', () => {
    assert.deepEqual(fromFlags({ 'mark.mask': '0x3', 'gateways.max': '2' }, 'gateways.max'), { value: 2 });
    assert.deepEqual(fromFlags({ 'mark.mask': '0x30', 'gateways.max': '3' }, 'gateways.max'), {
      expected: ['an integer in 1..2, less than the largest number that mark.mask 0x00000030 holds'],
    });
    accepts('gateways.max', '254', 254);
  });

  it('does not report a clash with a setting that is wrong itself', () => {
    const result = fromFlags({ 'mark.mask': '0x5', 'gateways.max': '254' }, 'gateways.max');

    assert.deepEqual(result, { expected: ['2..8 contiguous bits of 32, as 0xff000000 or decimal'] });
  });

  it('refuses a longest backoff that is shorter than the first', () => {
    assert.deepEqual(fromFlags({ 'management.backoffMinMs': '20000' }, 'management.backoffMinMs'), {
      expected: ['at least management.backoffMinMs, which is 20000'],
    });
  });

  it('keeps the fallback rules behind the main table and the others before it', () => {
    accepts('routing.fallbackPriority', '32768', 32_768);
    refuses('routing.fallbackPriority', '32767', '10000', '4294967281');
    refuses('routing.priority', '0', '32001');
  });

  it('keeps the routing tables away from local, main and default', () => {
    accepts('routing.tableBase', '256', 256);
    accepts('routing.tableBase', '4294966995', 4_294_966_995);
    refuses('routing.tableBase', '255', '254', '1', '4294966996');
  });

  it('takes unicast next-hop networks without host bits and gives their canonical form', () => {
    accepts('routing.nexthop4', '10.1.2.0/24', '10.1.2.0/24');
    refuses(
      'routing.nexthop4',
      '10.1.2.0/23',
      '10.1.2.1/24',
      '10.1.2.0',
      '224.0.0.0/24',
      '127.0.0.0/24',
      '0.0.0.0/24',
      '10.1.2/24',
      '10.1.02.0/24',
      '10.1.2.0/024',
      '167838208/24',
      '::/24',
    );
    accepts('routing.nexthop6', 'FE80:0:0:0:0:0:0:0/64', 'fe80::/64');
    accepts('routing.nexthop6', 'fd00:0:0:1:0:0:ab:0/112', 'fd00::1:0:0:ab:0/112');
    refuses(
      'routing.nexthop6',
      'fe80::/63',
      'fe80::/113',
      'fe80::1/112',
      'fe80::%lan0/112',
      'fe80::/6a',
      'fe80::169.254.01.0/112',
      'ff02::/64',
      '::/64',
      '::1:0/112',
      'fe80::',
      'fe80::/64/64',
      '10.0.0.0/64',
    );
  });

  it('takes management endpoints with a whole path, or with a host and a port', () => {
    accepts('management.endpoints', 'unix:/run/a', [{ kind: 'unix', path: '/run/a' }]);
    accepts('management.endpoints', 'unix:///run/a', [{ kind: 'unix', path: '/run/a' }]);
    accepts('management.endpoints', 'tcp://[::1]:1', [{ kind: 'tcp', host: '::1', port: 1 }]);
    accepts('management.endpoints', 'tcp:localhost:1', [{ kind: 'tcp', host: 'localhost', port: 1 }]);
    accepts('management.endpoints', 'tcp:[2001:db8::1]:65535', [{ kind: 'tcp', host: '2001:db8::1', port: 65_535 }]);
    refuses(
      'management.endpoints',
      'unix:',
      'unix:run/a',
      'unix:/run/',
      `unix:/${'x'.repeat(107)}`,
      'tcp:a',
      'tcp:a:0',
      'tcp:a:65536',
      'tcp::1',
      'tcp:::1:7505',
      'tcp:[::1:7505',
      'tcp:[1.2.3.4]:7505',
      '/run/a',
      'http://a:1',
    );
    accepts('management.endpoints', `unix:/${'x'.repeat(106)}`, [{ kind: 'unix', path: `/${'x'.repeat(106)}` }]);
  });

  it('takes tunnels of other programs as words and as mappings, and says what is wrong with one', () => {
    const tunnel = {
      device: 'tun5',
      networks: ['10.9.0.0/16', 'fd00:9::1'],
      transports: [{ protocol: 'udp', address: null, port: 655, endpoint: null }],
    };
    accepts('tunnels', 'tun5 10.9.3.0/16 fd00:9::1 udp/655', [tunnel]);
    accepts('tunnels', 'a 10.0.0.0/8, b 10.9.0.1', [
      { device: 'a', networks: ['10.0.0.0/8'], transports: [] },
      { device: 'b', networks: ['10.9.0.1'], transports: [] },
    ]);
    for (const text of [
      'tun5',
      'tun5 0.0.0.0/0',
      'tun5 10.9.0.0/16 udp/0',
      'tun5 10.9.0.0/16 udp/1@unix:/a',
      'a:b ::/1',
    ])
      refuses('tunnels', text);
    const wanted = { value: [tunnel] };
    for (const yaml of [
      'tunnels: {device: tun5, networks: [10.9.0.0/16, "fd00:9::1"], transport: udp/655}',
      'tunnels: [{device: tun5, networks: [10.9.0.0/16, "fd00:9::1"], transport: [udp/655]}]',
      'tunnels: tun5 10.9.0.0/16 fd00:9::1 udp/655',
      `tunnels: ${JSON.stringify(settingOf('tunnels').toPlain([tunnel]))}`,
    ])
      assert.deepEqual(fromYaml(yaml, 'tunnels'), wanted, yaml);
    for (const [yaml, expected] of [
      ['{device: tun5, networks: 10.0.0.0/8, network: 10.0.0.0/8}', /not network$/],
      ['{device: tun5, networks: [10.9.0.0/16, 7]}', /^networks of tun5: /],
      ['{device: tun5, networks: 0.0.0.0/0}', /^networks of tun5: .*a default route would take over/],
      ['{device: tun5, networks: 10.9.0.0/16, transport: udp}', /^transport of tun5: /],
      ['{device: 5, networks: 10.9.0.0/16}', /a device name/],
      ['[tun5 10.9.0.0/16, tun5 10.8.0.0/16]', /^each entry once$/],
      ['[tun5 10.9.0.0/16, tun6 10.9.0.0/16]', /^10\.9\.0\.0\/16 on tun5 or on tun6, not on both$/],
      ['[7]', /^\{device, networks, transport\}/],
    ] as const) {
      const found = fromYaml(`tunnels: ${yaml}`, 'tunnels');
      assert.match('expected' in found ? found.expected.join('\n') : 'accepted', expected, yaml);
    }
    const both = fromYaml('tunnels: wg0 10.9.0.0/16\nwireguard: [wg0]', 'tunnels');
    assert.deepEqual(both, { expected: ['wg0 here or in tunnels, not in both'] });
    assert.deepEqual(fromYaml('wireguard: [wg0]', 'wireguard.interfaces'), { value: ['wg0'] });
    assert.deepEqual(fromYaml('wireguard: {interfaces: wg0}', 'wireguard.interfaces'), { value: ['wg0'] });
  });

  it('takes device names as the kernel does', () => {
    accepts('devices', 'lan0,br-lan.100', ['lan0', 'br-lan.100']);
    refuses('devices', 'x'.repeat(16), 'a/b', 'a b', 'a:b', '.', '..');
    accepts('devices', 'a@b', ['a@b']);
    accepts('uplink', 'a@b 192.0.2.1', { device: 'a@b', mac: null, address: '192.0.2.1' });
    accepts('networks', '10.0.0.0/8@a@b', [{ network: '10.0.0.0/8', device: 'a@b' }]);
    refuses('uplink', 'a/b 192.0.2.1', '.. 192.0.2.1', `${'x'.repeat(16)} 192.0.2.1`);
    refuses('networks', '10.0.0.0/8@', '10.0.0.0/8@a:b', '10.0.0.0/8@..');
  });

  it('takes table names that nft reads without quotes', () => {
    accepts('table', 'gw_mark.2', 'gw_mark.2');
    refuses('table', '', '2gw', 'a b', 'a;b', 'a"b', 'x'.repeat(65));
  });

  it('refuses a control socket that is too long, or that is the management socket', () => {
    assert.deepEqual(fromFlags({ controlSocket: `/${'x'.repeat(107)}` }, 'controlSocket'), {
      expected: ['an absolute path of at most 107 bytes'],
    });
    assert.deepEqual(fromFlags({ controlSocket: '/run/a', 'management.endpoints': 'unix:/run/a' }, 'controlSocket'), {
      expected: ['a path that is not in management.endpoints'],
    });
    refuses('controlSocket', '', 'a\0b');
  });

  it('takes true and false alone for booleans', () => {
    accepts('gateways.learnOnlink', 'true', true);
    accepts('gateways.learnOnlink', 'false', false);
    refuses('gateways.learnOnlink', 'yes', '1', '');
    assert.ok('expected' in fromYaml('gateways: {learnOnlink: yes}', 'gateways.learnOnlink'));
  });
});
