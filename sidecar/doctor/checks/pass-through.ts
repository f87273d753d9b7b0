import { allowedAt } from '../../config/pass-through-socket.js';
import type { PassThroughPlace } from '../../config/settings.js';
import { formatEndpoint } from 'openvpn-management-client/endpoint';
import type { PassThroughStatus, StatusDocument } from '../../status.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

/** Sockets where other programs use OpenVPN's management interface. */
export const passThrough: Check = {
  name: 'pass-through',
  doc: 'Each socket of `passThrough` is open while a sidecar is connected to OpenVPN, and no stranger can change anything there: a TCP port on which more is allowed than reading has a password, and is on loopback.',
  needsNetAdmin: false,
  look: async (system) => judgePassThrough(system.settings.passThrough, await system.status()),
};

/** Pure. @param status of the sidecar that runs here; null if none does */
export function judgePassThrough(
  places: readonly PassThroughPlace[],
  status: Pick<StatusDocument, 'servers'> | null,
): readonly Judgement[] {
  const reported = (status?.servers ?? []).flatMap(({ passThrough: sockets = [] }) => sockets);
  return places.map((place) => {
    const name = formatEndpoint(place);
    const subject = `pass-through ${name}`;
    const exposure = exposureOf(place);
    if (exposure !== null) return { severity: 'warn', subject, ...exposure };
    const socket = reported.find((each) => each.socket === name);
    return socket === undefined ? notOpen(subject, status !== null) : judgeSocket(subject, socket);
  });
}

function judgeSocket(subject: string, { isOpen, problem, programs, dropped }: PassThroughStatus): Judgement {
  if (problem !== null)
    return {
      severity: 'error',
      subject,
      found: problem,
      expected: 'a socket that the sidecar can open',
      remedy: 'stop the program that uses the address, or choose another one in passThrough',
    };
  if (!isOpen)
    return {
      severity: 'info',
      subject,
      found: 'closed, because OpenVPN is not connected',
      expected: 'open',
      remedy: null,
    };
  const counts = `open, ${programs} ${programs === 1 ? 'program' : 'programs'} attached`;
  return dropped === 0
    ? fine(subject, counts)
    : {
        severity: 'info',
        subject,
        found: `${counts}, ${dropped} dropped so far`,
        expected: 'programs that read what they are sent',
        remedy: 'see pass_through.dropped in the log of the sidecar',
      };
}

function notOpen(subject: string, isRunning: boolean): Judgement {
  return {
    severity: isRunning ? 'warn' : 'info',
    subject,
    found: isRunning ? 'the sidecar that runs does not have it' : 'closed, because no sidecar runs',
    expected: 'open',
    remedy: isRunning ? 'restart the sidecar: passThrough takes effect at the start' : null,
  };
}

/** Who else could change something there. */
function exposureOf(place: PassThroughPlace): Pick<Judgement, 'found' | 'expected' | 'remedy'> | null {
  if (place.kind !== 'tcp' || allowedAt(place) === 'read') return null;
  if (place.passwordFile === undefined)
    return {
      found: 'every program that reaches this port may send commands that change something, without a password',
      expected: 'a password, or commands that only read',
      remedy: 'set passwordFile for it, or allow: read, or use a unix socket',
    };
  return /^(127\.|::1$|localhost$)/.test(place.host)
    ? null
    : {
        found: 'the port can be reached from other machines, and passwords and commands are sent in clear',
        expected: 'an address of loopback',
        remedy: 'use 127.0.0.1, [::1] or a unix socket',
      };
}
