import assert from 'node:assert/strict';
import type { Notification, Origin } from 'openvpn-management-client';
import { EarlyMessages } from '../../../sidecar/openvpn/early-messages.js';

const log = (text: string): Notification => ({ kind: 'log', timeSeconds: 1, flags: '', text });
const state = (name: string): Notification => ({
  kind: 'state',
  timeSeconds: 1,
  name,
  description: '',
  tunnelAddress: undefined,
  tunnelAddress6: undefined,
  remoteAddress: undefined,
  remotePort: undefined,
  localAddress: undefined,
  localPort: undefined,
});
const at = (sequence: number): Origin => ({ epoch: 1, sequence, receivedAtMs: 0 });

/** What is released, by its place in the stream. */
const released = (early: EarlyMessages): readonly number[] => early.release().map(({ origin }) => origin.sequence);

describe('EarlyMessages', () => {
  it('keeps messages from the banner to the end of the preparation, in order', () => {
    const early = new EarlyMessages();
    assert.equal(early.keep(log('before the preparation'), at(1)), true);
    early.hold();
    assert.equal(early.keep(log('during it'), at(2)), true);

    assert.deepEqual(released(early), [1, 2]);
    assert.equal(early.isHolding, false);
    assert.equal(early.keep(log('after it'), at(3)), false);
  });

  it('drops the states that the history has told', () => {
    const early = new EarlyMessages();
    early.keep(state('CONNECTED'), at(1));
    early.keep(log('a line'), at(2));
    early.keep(state('EXITING'), at(3));

    early.dropTold(2);

    assert.deepEqual(released(early), [2, 3]);
  });

  it('drops everything from before a restart that the history has told', () => {
    const early = new EarlyMessages();
    early.keep(log('of the start before'), at(1));
    early.keep(state('RECONNECTING'), at(2));
    early.keep(log('of this start'), at(3));

    early.dropTold(2);

    assert.deepEqual(released(early), [3]);
  });

  it('drops everything with the connection, and keeps what the next one says', () => {
    const early = new EarlyMessages();
    early.keep(log('of the connection before'), at(1));
    early.release();

    early.reset();
    early.keep(log('of the next'), at(2));

    assert.deepEqual(released(early), [2]);
  });
});
