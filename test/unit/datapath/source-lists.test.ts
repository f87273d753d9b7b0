import assert from 'node:assert/strict';
import { parseConfiguredSource } from '../../../sidecar/config/places.js';
import { SourceLists } from '../../../sidecar/datapath/source-lists.js';

const A = '02:00:00:00:00:0a';
const B = '02:00:00:00:00:0b';

function parse(text: string): NonNullable<ReturnType<typeof parseConfiguredSource>> {
  const source = parseConfiguredSource(text);
  if (source === undefined) throw new Error(`${text} is no entry`);
  return source;
}

function lists(exclude: readonly string[], only: readonly string[] = []): SourceLists {
  return new SourceLists(exclude.map(parse), only.map(parse));
}

describe('SourceLists', () => {
  it('is nothing for the rules where nothing is listed', () => {
    assert.equal(lists([]).filter, undefined);
    assert.equal(lists([]).isLearntFrom('lan0', A), true);
  });

  it('knows MACs at once, on one device or on any, for one kind of flow or for both', () => {
    const { filter } = lists([`${A} clients`, `lan1 ${B}`]);

    assert.deepEqual(filter?.clients, {
      exclude: [
        { device: null, mac: A },
        { device: 'lan1', mac: B },
      ],
      only: null,
    });
    assert.deepEqual(filter.transport, { exclude: [{ device: 'lan1', mac: B }], only: null });
  });

  it('follows an address through the neighbour table', () => {
    const sources = lists(['192.0.2.9']);
    const before = sources.filter;

    assert.equal(sources.take({ device: 'lan0', address: '192.0.2.8', mac: A }), false);
    assert.equal(sources.take({ device: 'lan0', address: '192.0.2.9', mac: A }), true);
    assert.equal(sources.isLearntFrom('lan0', A), false);
    assert.notEqual(sources.filter, before, 'another object, so that rules are made again');
    assert.equal(sources.take({ device: 'lan0', address: '192.0.2.9', mac: A }), false);
    assert.equal(
      sources.take({ device: 'lan0', address: '192.0.2.9', mac: null }),
      false,
      'what is not resolved says nothing',
    );
    assert.equal(sources.take({ device: 'lan0', address: '192.0.2.9', mac: B }), true);
    assert.deepEqual(
      ['lan0', 'lan1'].map((device) => [sources.isLearntFrom(device, A), sources.isLearntFrom(device, B)]),
      [
        [true, false],
        [true, true],
      ],
    );
    assert.deepEqual(sources.status(), [{ list: 'exclude', entry: '192.0.2.9', macs: [B] }]);
  });

  it('lets nobody in while the only listed address is not resolved, for the flows that it is for', () => {
    const { filter } = lists([], ['lan0 192.0.2.1 clients']);

    assert.deepEqual(filter?.clients.only, []);
    assert.equal(filter.transport.only, null);
  });

  it('counts an address on the named device alone', () => {
    const sources = lists(['lan0 192.0.2.9']);

    sources.take({ device: 'lan1', address: '192.0.2.9', mac: A });

    assert.equal(sources.isLearntFrom('lan1', A), true);
  });
});

describe('entries of the lists', () => {
  it('are read in every form', () => {
    const nothing = { device: null, mac: null, address: null, scope: null };
    assert.deepEqual(parseConfiguredSource('192.0.2.9'), { ...nothing, address: '192.0.2.9' });
    assert.deepEqual(parseConfiguredSource(' lan0  02:00:00:00:00:0A '), { ...nothing, device: 'lan0', mac: A });
    assert.deepEqual(parseConfiguredSource('2001:DB8::9 transport'), {
      ...nothing,
      address: '2001:db8::9',
      scope: 'transport',
    });
    assert.deepEqual(parseConfiguredSource(`lan0 ${A} clients`), {
      ...nothing,
      device: 'lan0',
      mac: A,
      scope: 'clients',
    });
  });

  for (const text of [
    '',
    'lan0',
    'clients',
    'lan0 clients',
    '192.0.2.0/24',
    '33:33:00:00:00:01',
    'lan0 lan1 192.0.2.9',
    '192.0.2.9 both',
    'a/b 192.0.2.9',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseConfiguredSource(text), undefined));
  }
});
