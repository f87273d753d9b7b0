import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { Exposition } from '../../../sidecar/metrics/exposition.js';
import { METRICS, type MetricDescription } from '../../../sidecar/metrics/table.js';
import { MODULE_COUNTERS } from '../../../sidecar/datapath/module/counters.js';
import { READY } from '../../protocol/sidecar-control/status-document.js';

// Compiled files lie in dist/test/unit/metrics.
const DEPLOY = new URL('../../../../deploy/', import.meta.url);
const NAMES = Object.keys(METRICS);
const DESCRIPTIONS: readonly (readonly [string, MetricDescription])[] = Object.entries(METRICS);

/** Metrics that a file of queries names; `up` is Prometheus' own. */
function metricsOf(file: string): readonly string[] {
  const found = readFileSync(new URL(file, DEPLOY), 'utf8').match(/\b(gwmark|process)_[a-z_]+\b/g) ?? [];
  return [...new Set(found)];
}

/** The name in the table of a series, `_bucket` and its like taken off a histogram's. */
function baseName(series: string): string {
  const base = series.replace(/_(bucket|sum|count)$/, '');
  return METRICS[base as keyof typeof METRICS]?.type === 'histogram' ? base : series;
}

describe('metrics', () => {
  it('are named by the rules: prefix, base unit, _total for counters and for nothing else', () => {
    for (const [name, { type, help, labels }] of DESCRIPTIONS) {
      assert.match(name, /^(gwmark|process)_[a-z]+(_[a-z]+)*$/);
      assert.equal(name.endsWith('_total'), type === 'counter', name);
      assert.ok(!/_(ms|milliseconds|kb|minutes|percent|count|sum|bucket)(_|$)/.test(name), name);
      assert.ok(help.endsWith('.') && labels.every((label) => /^[a-z]+$/.test(label)), name);
    }
  });

  for (const file of ['grafana/gwmark.json', 'prometheus/gwmark.rules.yaml', 'prometheus/gwmark.rules.test.yaml']) {
    it(`are the only ones that deploy/${file} asks for`, () => {
      const asked = metricsOf(file);

      assert.ok(asked.length > 8);
      assert.deepEqual(
        asked.map(baseName).filter((name) => !NAMES.includes(name)),
        [],
      );
    });
  }

  it('are all on the dashboard, but for what is known by other means', () => {
    const shown = new Set(metricsOf('grafana/gwmark.json').map(baseName));

    assert.deepEqual(
      NAMES.filter((name) => !shown.has(name)),
      ['gwmark_problems', 'gwmark_gateway_received_packets_total', 'process_cpu_seconds_total'],
    );
  });
});

describe('Exposition', () => {
  const nexthop = {
    ...READY,
    version: 'a"b\\c\n',
    problems: ['x'],
    ready: false,
    repairs: { firewall: 2, routing: 1 },
  };

  it('prints what a nexthop daemon has, labels escaped', async () => {
    const text = await new Exposition().text(() => nexthop);

    for (const line of [
      String.raw`gwmark_info{version="a\"b\\c\n",datapath="nexthop"} 1`,
      'gwmark_ready 0',
      'gwmark_problems 1',
      'gwmark_server_state{management="unix:/run/openvpn/management.sock",state="ready"} 1',
      'gwmark_server_state{management="unix:/run/openvpn/management.sock",state="waiting"} 0',
      'gwmark_management_reconnects_total{management="unix:/run/openvpn/management.sock"} 0',
      'gwmark_clients 1',
      'gwmark_firewall_elements 5',
      'gwmark_gateways{state="active"} 1',
      'gwmark_gateways{state="down"} 0',
      'gwmark_uplink_known 1',
      'gwmark_repairs_total{object="firewall"} 2',
      'gwmark_fall_through_packets_total{reason="learn_unknown_mac"} 1',
      'gwmark_gateway_received_bytes_total{gateway="1",device="lan0",mac="02:00:00:00:00:01"} 300',
      'gwmark_gateway_sent_packets_total{gateway="1",device="lan0",mac="02:00:00:00:00:01"} 2',
      'gwmark_apply_failures_total 0',
      'process_start_time_seconds 1735689600',
    ]) {
      assert.ok(text.split('\n').includes(line), `${line}\n${text}`);
    }
    assert.ok(!/^gwmark_(module_events_total|gateway_learned_flows_total|gateway_idle_seconds)\b/m.test(text));
  });

  it('prints every counter of the module, and no packets received, which it does not count', async () => {
    const moduleCounters = Object.fromEntries(MODULE_COUNTERS.map((name, index) => [name, index]));
    const [gateway] = READY.gateways;
    assert.ok(gateway !== undefined);
    const status = {
      ...READY,
      datapath: 'module' as const,
      moduleCounters,
      gateways: [{ ...gateway, id: 4_294_967_295, received: null, learnedFlows: 7, idleMs: 1500 }],
    };

    const text = await new Exposition().text(() => status);

    assert.equal(text.match(/^gwmark_module_events_total\{/gm)?.length, MODULE_COUNTERS.length);
    assert.match(text, /^gwmark_module_events_total\{event="learn_known"\} 1$/m);
    assert.match(text, /^gwmark_gateway_learned_flows_total\{gateway="4294967295",.*\} 7$/m);
    assert.match(text, /^gwmark_gateway_idle_seconds\{.*\} 1\.5$/m);
    assert.ok(!/^gwmark_gateway_received/m.test(text));
  });

  it('counts once however often it is scraped, and drops the series of what is gone', async () => {
    const exposition = new Exposition();
    await Promise.all(Array.from({ length: 5 }, () => exposition.text(() => nexthop)));

    const text = await exposition.text(() => ({ ...nexthop, gateways: [] }));

    assert.match(text, /^gwmark_repairs_total\{object="firewall"\} 2$/m);
    assert.ok(!/^gwmark_gateway_/m.test(text));
  });

  it('has a histogram of passes that succeeded, and counts the others', async () => {
    const exposition = new Exposition();
    for (const seconds of [0.0004, 0.002, 0.3]) exposition.passed({ seconds, hasFailed: false });
    exposition.passed({ seconds: 9, hasFailed: true });

    const text = await exposition.text(() => READY);

    assert.match(text, /^gwmark_apply_duration_seconds_bucket\{le="0\.0025"\} 2$/m);
    assert.match(text, /^gwmark_apply_duration_seconds_count 3$/m);
    assert.match(text, /^gwmark_apply_failures_total 1$/m);
  });

  it('has series for 500 gateways at most, and counts all', async () => {
    const [gateway] = READY.gateways;
    assert.ok(gateway !== undefined);
    const gateways = Array.from({ length: 2000 }, (_, id) => ({ ...gateway, id }));

    const text = await new Exposition().text(() => ({ ...READY, gateways }));

    assert.equal(text.match(/^gwmark_gateway_moves_total\{/gm)?.length, 500);
    assert.match(text, /^gwmark_gateways\{state="active"\} 2000$/m);
  });

  it('goes on after a reading that failed', async () => {
    const exposition = new Exposition();

    await assert.rejects(
      exposition.text(() => {
        throw new Error('invariant broken');
      }),
      /invariant/,
    );

    assert.match(await exposition.text(() => READY), /^gwmark_ready 1$/m);
  });
});
