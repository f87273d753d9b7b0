import assert from 'node:assert/strict';

import type { TraceQuery } from '../../../sidecar/trace/trace.js';
import { TRACE_STEPS } from '../../../sidecar/trace/trace.js';
import { traceView } from '../../../sidecar/cli/trace-command.js';
import { NO_COMMANDS, type Typed, typeCommand } from '../../lab/typed-command.js';

const CONFIG = '/nonexistent/gwmark.yaml';
const QUERY: TraceQuery = {
  source: '198.51.100.2',
  destination: '10.8.0.2',
  protocol: null,
  sourcePort: null,
  destinationPort: null,
};

async function trace(
  args: readonly string[],
  goesByMac = true,
): Promise<Typed & { readonly asked: readonly TraceQuery[] }> {
  const asked: TraceQuery[] = [];
  const typed = await typeCommand(['trace', ...args], CONFIG, {
    ...NO_COMMANDS,
    trace: async (_settings, query) => {
      asked.push(query);
      return { query, goesByMac, steps: [], sentence: 'so it is', instead: null };
    },
  });
  return { ...typed, asked };
}

describe('gwmark trace, the command', () => {
  it('asks for the flow that was named, in canonical form', async () => {
    const { code, asked } = await trace([
      '2001:DB8:0::2',
      'fd00:8:0:0::11',
      '--proto',
      'udp',
      '--sport',
      '1',
      '--dport',
      '65535',
    ]);

    assert.equal(code, 0);
    assert.deepEqual(asked, [
      { source: '2001:db8::2', destination: 'fd00:8::11', protocol: 'udp', sourcePort: 1, destinationPort: 65535 },
    ]);
  });

  it('exits with 1 where answers do not go by MAC', async () => {
    assert.equal((await trace([QUERY.source, QUERY.destination], false)).code, 1);
  });

  it('names bad arguments, exits with 2 and looks at nothing', async () => {
    for (const [args, message] of [
      [['10.8.0', '10.8.0.2'], /SRC .*expected an IPv4 or IPv6 address/],
      [['10.8.0.1', '10.8.0.0/24'], /DST .*expected an IPv4 or IPv6 address/],
      [['10.8.0.1', 'fd00::1'], /different address families/],
      [['10.8.0.1', '10.8.0.2', '--dport', '99999'], /--dport .*1\.\.65535/],
      [['10.8.0.1', '10.8.0.2', '--sport', '0'], /--sport .*1\.\.65535/],
      [['10.8.0.1', '10.8.0.2', '--proto', 'icmp', '--dport', '7'], /has no ports/],
      [['10.8.0.1', '10.8.0.2', '--proto', 'gre'], /--proto/],
      [['10.8.0.1'], /DST/],
    ] as const) {
      const { code, stdout, stderr, asked } = await trace(args);

      assert.deepEqual([code, stdout, asked], [2, '', []], stderr);
      assert.match(stderr, message);
    }
  });

  it('has every step in its help', async () => {
    const { code, stdout } = await trace(['--help']);

    assert.equal(code, 0);
    for (const step of Object.keys(TRACE_STEPS)) assert.match(stdout, new RegExp(`^ {2}${step} +\\S`, 'm'), step);
  });

  it('prints what failed, where packets go instead, and how to fix it', () => {
    const text = traceView(
      {
        query: QUERY,
        goesByMac: false,
        steps: [
          { step: 'rules', ok: true, text: 'the table is installed', remedy: null },
          { step: 'conntrack', ok: false, text: 'no \u001B[31m flow', remedy: 'let it send' },
        ],
        sentence: 'answers do not',
        instead: 'they are lost',
      },
      false,
    );

    assert.match(text, /^ok +rules +the table is installed$/m);
    assert.match(text, /^no +conntrack +no \\u001b\[31m flow$/m);
    assert.ok(!text.includes('\u001B'));
    assert.match(text, /\nanswers do not\ninstead: they are lost\nfix: let it send\n$/);
  });
});
