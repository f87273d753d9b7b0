import assert from 'node:assert/strict';
import { StartGate } from '../../../sidecar/daemon/start-gate.js';

describe('StartGate', () => {
  it('opens at the first look when nothing of an earlier run is kept', async () => {
    const gate = new StartGate();
    assert.equal(gate.isOpen, false);

    gate.look(false);

    assert.equal(gate.isOpen, true);
    await gate.opened;
  });

  it('stays closed while something of an earlier run is kept and not every OpenVPN was tried', () => {
    const gate = new StartGate();

    gate.look(true);

    assert.equal(gate.isOpen, false);
  });

  it('opens when every OpenVPN was tried, although something is kept for one that does not answer', async () => {
    const gate = new StartGate();
    gate.look(true);

    gate.settled();
    assert.equal(gate.isOpen, false, 'by the next look, which knows the devices');
    gate.look(true);

    assert.equal(gate.isOpen, true);
    await gate.opened;
  });

  it('never closes again', () => {
    const gate = new StartGate();
    gate.look(false);

    gate.look(true);

    assert.equal(gate.isOpen, true);
  });
});
