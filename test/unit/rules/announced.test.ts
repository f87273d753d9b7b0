import assert from 'node:assert/strict';
import { announcedAddresses, parseNetwork } from '../../../rules/index.js';

function network(text: string): NonNullable<ReturnType<typeof parseNetwork>> {
  const parsed = parseNetwork(text);
  assert.ok(parsed);
  return parsed;
}

function link(device: string, addresses: readonly string[], ...onlink: readonly string[]) {
  return { device, addresses, onlink: onlink.map(network), families: [4, 6] as const };
}

const LAN = link('lan0', ['192.0.2.10', '2001:db8::10'], '192.0.2.0/24', '2001:db8::/64');

function announced(text: string, ...links: readonly ReturnType<typeof link>[]): readonly string[] | 'too many' {
  const found = announcedAddresses({ ...network(text), device: 'tun0' }, links.length === 0 ? [LAN] : links);
  return found === 'too many' ? found : found.map(({ address, device }) => `${address} ${device}`);
}

describe('announcedAddresses', () => {
  it('are those of a client inside of the network of a link', () => {
    assert.deepEqual(announced('192.0.2.131'), ['192.0.2.131 lan0']);
    assert.deepEqual(announced('2001:db8::1:131'), ['2001:db8::1:131 lan0']);
  });

  it('are none of a client elsewhere, nor of a network around the link', () => {
    assert.deepEqual(announced('10.8.0.2'), []);
    assert.deepEqual(announced('192.0.0.0/16'), []);
  });

  it('are those of every link around the client', () => {
    const other = link('lan1', ['192.0.2.11'], '192.0.2.0/24');
    assert.deepEqual(announced('192.0.2.131', LAN, other), ['192.0.2.131 lan0', '192.0.2.131 lan1']);
  });

  it('are none on a link without the family', () => {
    assert.deepEqual(announced('2001:db8::5', { ...LAN, families: [4] as never }), []);
  });

  it('are each address of a subnet, across no byte', () => {
    assert.deepEqual(
      announced('192.0.2.248/30'),
      ['248', '249', '250', '251'].map((last) => `192.0.2.${last} lan0`),
    );
    assert.deepEqual(announced('2001:db8::1:fff8/127'), ['2001:db8::1:fff8 lan0', '2001:db8::1:fff9 lan0']);
  });

  it('leave out the addresses of the endpoint, and the ends of an IPv4 network', () => {
    const found = announced('192.0.2.0/24');
    assert.equal(found.length, 253);
    for (const address of ['192.0.2.0', '192.0.2.10', '192.0.2.255'])
      assert.ok(!found.includes(`${address} lan0`), address);
    assert.equal(announced('2001:db8::/120').length, 255);
  });

  it('are too many beyond 256', () => {
    const wide = link('lan0', [], '10.0.0.0/8', '2001:db8::/64');
    assert.equal(announced('10.1.0.0/23', wide), 'too many');
    assert.equal(announced('2001:db8::1:0/119', wide), 'too many');
    assert.equal(announced('10.1.2.0/24', wide).length, 256);
  });
});
