import assert from 'node:assert/strict';
import { compileBridgeStructure, compileModuleStructure } from '../../../rules/index.js';
import { ModuleDatapath } from '../../../sidecar/datapath/module/module-datapath.js';
import { SourceLists } from '../../../sidecar/datapath/source-lists.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';
import { LAN, POLICY, site } from '../rules/sample-site.js';

const INLINE = site({ links: [{ ...LAN, device: 'br0', isBridge: true }] });

function datapath(canSelectFrames: boolean, log = captureLog()) {
  return new ModuleDatapath({
    policy: POLICY,
    compileRules: compileModuleStructure,
    compileBridge: canSelectFrames ? compileBridgeStructure : null,
    logger: log.logger,
    firewall: { seenMacs: async () => [] },
    configuredUplink: null,
    sources: new SourceLists([], []),
    onChanged: () => undefined,
  });
}

describe('ModuleDatapath', () => {
  it('wants a table for frames where a bridge is a link, and no other', () => {
    assert.deepEqual(datapath(true).compile(INLINE).bridge, compileBridgeStructure(INLINE, ['br0']));
    assert.equal(datapath(true).compile(site()).bridge, null);
  });

  it('says once that a packet filter cannot select frames on a bridge', () => {
    const log = captureLog();
    const module = datapath(false, log);

    assert.equal(module.compile(INLINE).bridge, null);
    module.compile(INLINE);
    module.compile(site());
    assert.deepEqual(
      log.of('firewall.no_bridge').map(({ fields }) => fields),
      [{ devices: ['br0'] }],
    );
  });

  it('has no gateways for rules and routes: the kernel keeps them', () => {
    assert.deepEqual(datapath(true).ofSite, { gateways: [], uplink: null });
  });
});
