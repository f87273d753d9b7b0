import assert from 'node:assert/strict';
import { parsePassThroughPlace } from '../../../sidecar/config/pass-through-socket.js';
import type { PassThroughPlace } from '../../../sidecar/config/settings.js';
import { judgePassThrough } from '../../../sidecar/doctor/checks/pass-through.js';
import type { PassThroughStatus } from '../../../sidecar/status.js';
import { READY } from '../../protocol/sidecar-control/status-document.js';

const OPEN: PassThroughStatus = {
  socket: 'unix:/run/a.sock',
  isOpen: true,
  problem: null,
  programs: 1,
  dropped: 0,
  answersLogins: false,
};

function place(value: unknown): PassThroughPlace {
  const parsed = parsePassThroughPlace(value);
  if (!('place' in parsed)) throw new Error(parsed.expected);
  return parsed.place;
}

/** An open socket at this address. */
function at(address: string): PassThroughStatus {
  return { ...OPEN, socket: address };
}

/** Severity and text of the finding about one socket. */
function judge(value: unknown, socket: PassThroughStatus | null | undefined): string {
  const servers =
    socket === null
      ? []
      : READY.servers.map((server) => ({ ...server, passThrough: socket === undefined ? [] : [socket] }));
  const [judgement] = judgePassThrough([place(value)], socket === null ? null : { servers });
  return `${judgement?.severity}: ${judgement?.found}`;
}

describe('the check of passThrough', () => {
  it('is content with an open socket', () => {
    assert.equal(judge('unix:/run/a.sock', OPEN), 'ok: open, 1 program attached');
    assert.deepEqual(judgePassThrough([], READY), []);
  });

  it('names what keeps a socket closed', () => {
    assert.equal(
      judge('unix:/run/a.sock', { ...OPEN, isOpen: false, problem: 'another program answers there' }),
      'error: another program answers there',
    );
    assert.match(judge('unix:/run/a.sock', { ...OPEN, isOpen: false }), /^info: closed, because OpenVPN/);
    assert.match(judge('unix:/run/a.sock', null), /^info: closed, because no sidecar runs/);
    assert.match(judge('unix:/run/a.sock', undefined), /^warn: the sidecar that runs does not have it/);
  });

  it('counts the programs that were dropped', () => {
    assert.match(judge('unix:/run/a.sock', { ...OPEN, dropped: 3 }), /^info: .*3 dropped so far/);
  });

  it('warns of a TCP port where strangers can change something', () => {
    const open = { address: 'tcp:127.0.0.1:7506', allow: 'all' };
    assert.match(judge(open, at('tcp:127.0.0.1:7506')), /^warn: .*without a password/);
    assert.match(judge({ ...open, passwordFile: '/p' }, at('tcp:127.0.0.1:7506')), /^ok/);
    assert.match(
      judge({ ...open, address: 'tcp:0.0.0.0:7506', passwordFile: '/p' }, at('tcp:0.0.0.0:7506')),
      /^warn: .*in clear/,
    );
    assert.match(judge('tcp:0.0.0.0:7506', at('tcp:0.0.0.0:7506')), /^ok/);
  });
});
