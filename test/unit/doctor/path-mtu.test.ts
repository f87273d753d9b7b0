import assert from 'node:assert/strict';

import { judgePathMtu } from '../../../sidecar/doctor/checks/path-mtu.js';

describe('path-mtu', () => {
  it('is fine where errors are looked up with their mark', () => {
    assert.equal(judgePathMtu({ reflect: '1', isManaged: false, isRunning: true }).severity, 'ok');
  });

  it('warns where they are not and nobody will turn it on, and says what to do', () => {
    for (const facts of [
      { isManaged: true, isRunning: true },
      { isManaged: false, isRunning: false },
    ]) {
      const { severity, remedy } = judgePathMtu({ reflect: '0', ...facts });
      assert.equal(severity, 'warn');
      assert.match(remedy ?? '', /sysctl -w net\.ipv6\.fwmark_reflect=1.*mssfix/);
    }
  });

  it('tells that the sidecar will turn it on', () => {
    assert.equal(judgePathMtu({ reflect: '0', isManaged: true, isRunning: false }).severity, 'info');
  });
});
