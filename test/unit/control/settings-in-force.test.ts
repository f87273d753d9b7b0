import assert from 'node:assert/strict';
import { buildSettings, type Settings } from '../../../sidecar/config/settings.js';
import { type FlatSettings, SETTINGS } from '../../../sidecar/config/table.js';
import { plainInForce, settingsInForce } from '../../../sidecar/control/settings-in-force.js';
import { judgeSettings } from '../../../sidecar/doctor/checks/settings.js';
import type { StatusDocument } from '../../../sidecar/status.js';

function settingsWith(changed: Partial<FlatSettings> = {}): Settings {
  const flat = Object.fromEntries(SETTINGS.map((setting) => [setting.path, setting.default]));
  return buildSettings({ ...flat, ...changed } as FlatSettings, new Map());
}

/** As it arrives over the control socket. */
function statusOf(settings: Settings): StatusDocument {
  return JSON.parse(JSON.stringify({ settings: plainInForce(settings) })) as StatusDocument;
}

describe('settingsInForce', () => {
  it('takes what the running sidecar works with, and says what differs', () => {
    const running = settingsWith({
      'gateways.learnOnlink': true,
      devices: ['lan0'],
      table: 'other',
      'mark.mask': 0x00ff_0000,
      'routing.protocol': 99,
      uplink: { device: 'lan0', mac: null, address: '192.0.2.1' },
      networks: [{ network: '10.9.0.0/16', device: 'tun1' }],
    });

    const { settings, from, differences } = settingsInForce(settingsWith(), statusOf(running));

    assert.equal(from, 'sidecar');
    assert.deepEqual(settings, running);
    assert.deepEqual(differences.map(({ path }) => path).toSorted(), [
      'devices',
      'gateways.learnOnlink',
      'mark.mask',
      'networks',
      'routing.protocol',
      'table',
      'uplink',
    ]);
  });

  it('keeps what is the command’s own: its control socket, how it talks to OpenVPN, what it logs', () => {
    const own = settingsWith({
      controlSocket: '/run/x.sock',
      'management.connectTimeoutMs': 700,
      'log.level': 'debug',
    });

    assert.deepEqual(settingsInForce(own, statusOf(settingsWith())), {
      settings: own,
      from: 'sidecar',
      differences: [],
    });
  });

  it('goes back to a default that the sidecar has and the command has not', () => {
    const own = settingsWith({
      uplink: { device: 'lan0', mac: null, address: '192.0.2.1' },
      'gateways.learnOnlink': true,
    });

    assert.deepEqual(settingsInForce(own, statusOf(settingsWith())).settings, settingsWith());
  });

  it('is the command’s own where no sidecar runs, or one that does not tell', () => {
    const own = settingsWith({ 'gateways.learnOnlink': true });

    assert.deepEqual(settingsInForce(own, null), { settings: own, from: 'command', differences: [] });
    assert.deepEqual(settingsInForce(own, {} as StatusDocument), { settings: own, from: 'command', differences: [] });
  });

  it('leaves out what a newer sidecar has in a form that is not known', () => {
    const status = {
      settings: { ...plainInForce(settingsWith()), sysctl: { mode: 'new' }, 'gateways.learnOnlink': true },
    } as unknown as StatusDocument;

    const { settings, differences } = settingsInForce(settingsWith(), status);

    assert.equal(settings.sysctl, 'manage');
    assert.deepEqual(
      differences.map(({ path }) => path),
      ['gateways.learnOnlink'],
    );
  });

  it('is told by the doctor, a line for each difference', () => {
    const judgements = judgeSettings(
      settingsInForce(settingsWith(), statusOf(settingsWith({ 'gateways.learnOnlink': true }))),
    );

    assert.deepEqual(
      judgements.map(({ severity, subject }) => [severity, subject]),
      [['info', 'gateways.learnOnlink']],
    );
    assert.match(judgements[0]?.found ?? '', /^true in the running sidecar/);
  });
});
