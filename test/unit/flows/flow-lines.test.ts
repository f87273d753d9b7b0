import assert from 'node:assert/strict';

import { parseNetwork } from '../../../rules/index.js';
import { parseConntrackLine } from '../../../sidecar/flows/conntrack-flows.js';
import type { FlowFilter } from '../../../sidecar/flows/filter.js';
import { matchesFilter } from '../../../sidecar/flows/filter.js';
import type { Flow } from '../../../sidecar/flows/flow.js';
import { parseModuleFlow } from '../../../sidecar/flows/module-flows.js';

const MASK = 0xff00_0000;
const parse = (line: string): Flow | null => parseConntrackLine(line, MASK, 0x0100_0000);

/** Lines as conntrack 1.4.7 and /proc/net/nf_conntrack of Linux 6.18 print them. */
const LINES = {
  tcp: 'ipv4     2 tcp      6 431999 ESTABLISHED src=198.51.100.10 dst=10.8.0.11 sport=45678 dport=9000 packets=5 bytes=280 src=10.8.0.11 dst=198.51.100.10 sport=9000 dport=45678 packets=4 bytes=216 [ASSURED] mark=16777216 use=1',
  udpUnreplied:
    'ipv6     10 udp      17 29 src=2001:db8:a::10 dst=fd00:8::11 sport=4000 dport=53 [UNREPLIED] src=fd00:8::11 dst=2001:db8:a::10 sport=53 dport=4000 mark=33554432 use=1',
  icmpTranslated:
    'ipv4     2 icmp     1 29 src=10.8.0.11 dst=203.0.113.9 type=8 code=0 id=7 src=203.0.113.9 dst=192.0.2.2 type=0 code=0 id=7 mark=4278190080 zone=3 use=2',
  gre: 'ipv4     2 gre      47 29 timeout=30, stream_timeout=180 src=10.0.0.1 dst=10.8.0.2 srckey=0x0 dstkey=0x1 src=10.8.0.2 dst=10.0.0.1 srckey=0x1 dstkey=0x0 mark=16777271 use=1',
} as const;

describe('parseConntrackLine', () => {
  it('reads a flow with counters', () => {
    assert.deepEqual(parse(LINES.tcp), {
      family: 4,
      protocol: 'tcp',
      original: {
        source: '198.51.100.10',
        sourcePort: 45678,
        destination: '10.8.0.11',
        destinationPort: 9000,
        counted: { packets: 5, bytes: 280 },
      },
      reply: {
        source: '10.8.0.11',
        sourcePort: 9000,
        destination: '198.51.100.10',
        destinationPort: 45678,
        counted: { packets: 4, bytes: 216 },
      },
      gateway: 1,
      destinationGateway: 0,
    });
  });

  it('reads one without an answer, without counters, over IPv6', () => {
    const flow = parse(LINES.udpUnreplied);

    assert.deepEqual([flow?.family, flow?.protocol, flow?.gateway, flow?.original.counted], [6, 'udp', 2, null]);
    assert.deepEqual([flow?.reply.source, flow?.reply.sourcePort], ['fd00:8::11', 53]);
  });

  it('reads one without ports whose addresses are translated; the mark is unsigned', () => {
    const flow = parse(LINES.icmpTranslated);

    assert.deepEqual(
      [flow?.protocol, flow?.original.sourcePort, flow?.reply.destination, flow?.gateway],
      ['icmp', null, '192.0.2.2', 255],
    );
  });

  it('takes only the bits of the mask, and passes over what belongs to no tuple', () => {
    const flow = parse(LINES.gre);

    assert.deepEqual([flow?.protocol, flow?.original.source, flow?.gateway], ['gre', '10.0.0.1', 1]);
    assert.equal(parseConntrackLine(LINES.gre, 0xff, 1)?.gateway, 55);
  });

  it('gives null for entries that are not ours, and for what is no entry', () => {
    for (const line of [
      LINES.tcp.replace('mark=16777216', 'mark=55'),
      LINES.tcp.replace(' mark=16777216', ''),
      '',
      'mark=',
      'ipv4 2 tcp 6 1 mark=16777216',
      'src= mark=x',
    ]) {
      assert.equal(parse(line), null, line);
    }
  });
});

describe('parseModuleFlow', () => {
  const RECORD =
    'family=6 proto=58 src=fd01::9 dst=fd08::9 reply_src=fd08::9 reply_dst=fd01::9 source=65537 destination=0 later=1';

  it('reads a flow without ports and counters, and passes over fields it does not know', () => {
    assert.deepEqual(parseModuleFlow(RECORD), {
      family: 6,
      protocol: 'icmpv6',
      original: { source: 'fd01::9', sourcePort: null, destination: 'fd08::9', destinationPort: null, counted: null },
      reply: { source: 'fd08::9', sourcePort: null, destination: 'fd01::9', destinationPort: null, counted: null },
      gateway: 65537,
      destinationGateway: 0,
    });
  });

  it('reads ports and counters of both directions', () => {
    const flow = parseModuleFlow(
      'family=4 proto=6 src=1.1.1.1 dst=2.2.2.2 sport=5 dport=6 reply_src=3.3.3.3 reply_dst=1.1.1.1 reply_sport=7 reply_dport=5 packets=9 bytes=900 reply_packets=8 reply_bytes=800 source=1 destination=2',
    );

    assert.deepEqual(flow?.original, {
      source: '1.1.1.1',
      sourcePort: 5,
      destination: '2.2.2.2',
      destinationPort: 6,
      counted: { packets: 9, bytes: 900 },
    });
    assert.deepEqual(flow.reply, {
      source: '3.3.3.3',
      sourcePort: 7,
      destination: '1.1.1.1',
      destinationPort: 5,
      counted: { packets: 8, bytes: 800 },
    });
    assert.equal(flow.destinationGateway, 2);
  });

  it('gives null for the first line of the file and for a torn one', () => {
    assert.deepEqual(
      [parseModuleFlow('gwmark 1'), parseModuleFlow(''), parseModuleFlow('family=4 proto=6 src=1.1.1.1')],
      [null, null, null],
    );
  });
});

describe('matchesFilter', () => {
  const flow = parse(LINES.icmpTranslated);
  assert.ok(flow !== null);

  for (const [text, isWanted] of [
    ['10.8.0.11', true],
    ['192.0.2.2', true],
    ['10.8.0.1', false],
    ['10.8.0.0/16', true],
    ['10.9.0.0/16', false],
    ['0.0.0.0/0', true],
    ['::/0', false],
  ] as const) {
    it(`finds ${text} ${isWanted ? 'in any place of a flow' : 'in no place of it'}`, () => {
      assert.equal(matchesFilter(flow, client(text)), isWanted);
    });
  }

  it('finds a gateway on either side', () => {
    assert.deepEqual(
      [255, 7, 1].map((gateway) => matchesFilter({ ...flow, destinationGateway: 7 }, { gateway })),
      [true, true, false],
    );
  });
});

function client(text: string): FlowFilter {
  const network = parseNetwork(text);
  assert.ok(network !== null);
  return { client: network };
}
