/** What the doctor says where rules are made with iptables. */
import assert from 'node:assert/strict';

import { type FlavourReport, IptablesError } from 'iptables-wrapper';

import { judgeIptables } from '../../../sidecar/doctor/checks/iptables.js';
import { judgeTable } from '../../../sidecar/doctor/checks/table.js';

type Facts = Parameters<typeof judgeIptables>[0];

const PROGRAMS = {
  4: { save: 'iptables-save', restore: 'iptables-restore' },
  6: { save: 'ip6tables-save', restore: 'ip6tables-restore' },
};

function usable(flavour: 'nft' | 'legacy', ownChains: readonly string[] = []): FlavourReport {
  return {
    flavour,
    isUsable: true,
    version: '1.8.9',
    isDefault: flavour === 'nft',
    programs: PROGRAMS,
    ownChains,
    foreignTables: [],
  };
}

function judge(facts: Partial<Facts> = {}): readonly string[] {
  const ours = ['IPv4 mangle gwmark-in'];
  const healthy: Facts = {
    prefix: 'gwmark-',
    flavour: 'nft',
    reports: [usable('nft', ours), usable('legacy')],
    ipset: '7.17',
    owner: 'ours',
    isRunning: true,
  };
  return judgeIptables({ ...healthy, ...facts }).map(
    ({ severity, subject, found }) => `${severity} ${subject}: ${found}`,
  );
}

describe('the doctor, about iptables', () => {
  it('is content with chains of ours in one flavour', () => {
    assert.deepEqual(judge(), [
      'ok iptables: 1.8.9, flavour nft',
      'ok ipset: 7.17',
      'ok chains gwmark-* of iptables-nft: installed by gwmark',
    ]);
  });

  it('names chains that are missing beside a running sidecar, and none where nothing runs', () => {
    assert.equal(judge({ owner: 'none' }).at(-1), 'error chains gwmark-* of iptables-nft: missing');
    assert.equal(
      judge({ owner: 'none', isRunning: false }).at(-1),
      'ok chains gwmark-* of iptables-nft: absent: no sidecar runs',
    );
  });

  it('names chains that an earlier run left, and those of another program', () => {
    assert.match(judge({ isRunning: false }).at(-1) ?? '', /^info .*left by an earlier run/);
    assert.match(judge({ owner: 'foreign' }).at(-1) ?? '', /^error .*belongs to another program/);
  });

  it('names chains in the other flavour, which packets pass too', () => {
    const found = judge({
      reports: [usable('nft', ['IPv4 mangle gwmark-in']), usable('legacy', ['IPv6 mangle gwmark-out'])],
    });

    assert.ok(
      found.includes('error chains gwmark-*: in iptables-legacy too (IPv6 mangle gwmark-out): packets pass both'),
      found.join('\n'),
    );
  });

  it('names a flavour that does not work, and an ipset', () => {
    const error = new IptablesError('UNAVAILABLE', 'there is no program iptables-nft');

    assert.deepEqual(judge({ reports: [{ flavour: 'nft', isUsable: false, reason: error.message, error }] }), [
      'error iptables: nft: there is no program iptables-nft',
    ]);
    assert.ok(
      judge({ ipset: new IptablesError('UNAVAILABLE', 'cannot run ipset') }).includes('error ipset: cannot run ipset'),
    );
  });

  it('names a table of nftables beside them, and does not miss one', () => {
    assert.equal(
      judgeTable({ family: 'inet', table: 'gwmark', state: 'missing', isRunning: true, firewall: 'iptables' })
        .severity,
      'ok',
    );
    assert.equal(
      judgeTable({ family: 'inet', table: 'gwmark', state: 'ours', isRunning: true, firewall: 'iptables' }).severity,
      'error',
    );
    assert.equal(
      judgeTable({ family: 'inet', table: 'gwmark', state: 'missing', isRunning: true, firewall: 'nftables' })
        .severity,
      'error',
    );
  });
});
