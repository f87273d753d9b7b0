import { stat } from 'node:fs/promises';

import {
  commands,
  Connection,
  isManagementError,
  ManagementError,
  type ManagementErrorCode,
} from 'openvpn-management-client';

import { namedTunnels } from '../../config/policy.js';
import { passwordNow } from '../../config/password.js';
import type { Settings } from '../../config/settings.js';
import { optionOf } from '../../discovery/openvpn-options.js';
import { questionIn } from '../../discovery/management-question.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';
import type { ServerView } from '../server-view.js';
import { isSidecar } from './sidecars.js';

/** Longest wait for a banner: silence means that the interface is in use. */
const LONGEST_WAIT_MS = 2000;

/** Options that make OpenVPN act when a management client disconnects: the doctor does not connect then. */
const ACTS_ON_DISCONNECT = ['management-signal', 'management-forget-disconnect'] as const;

/** The result of one attempt to connect. */
type Trial =
  | { readonly ok: true; readonly title: string; readonly question: string | null }
  | { readonly ok: false; readonly code: ManagementErrorCode; readonly reason: string };

/** Why no attempt was made; undefined if an attempt is harmless. */
type Abstention = {
  readonly severity: 'ok' | 'info' | 'error';
  readonly found: string;
  readonly remedy: string | null;
};

/** OpenVPN's management interface can be used. */
export const management: Check = {
  name: 'management',
  doc: 'The management interface of each OpenVPN exists, can be opened, accepts the password, and is not in use by another program: it accepts one at a time. The doctor never connects to an interface that is in use; if the sidecar uses it, the doctor asks the sidecar.',
  needsNetAdmin: false,
  look: async (system) => {
    const servers = await system.servers();
    if (servers.length === 0) return hasOtherVpns(system.settings) ? [] : [judgeNoEndpoint()];
    return Promise.all(
      servers.map(async (server) => {
        const status = await system.status().catch(() => null);
        const abstention = await whyNotTry(server, status?.problems ?? [], system.settings.controlSocket);
        return judgeManagement(server, abstention ?? (await tryToConnect(server, system.settings)));
      }),
    );
  },
};

/** Without an OpenVPN, there may be VPNs of other programs. */
function hasOtherVpns(settings: Settings): boolean {
  return namedTunnels(settings).length > 0;
}

function judgeNoEndpoint(): Judgement {
  return {
    severity: 'info',
    subject: 'management',
    found: 'no endpoint is configured, so OpenVPN was not checked',
    expected: 'the endpoints of gwmark run',
    remedy: 'give the doctor the settings of gwmark run: --config, --management or the environment',
  };
}

const REMEDIES: Readonly<Partial<Record<ManagementErrorCode, string>>> = {
  MGMT_AUTH:
    'compare management.passwordFile, or the passwordFile of this endpoint, with the password file in the line "management" of OpenVPN',
  MGMT_PASSWORD_REQUIRED:
    'set management.passwordFile, or passwordFile of this endpoint, to the password file in the line "management" of OpenVPN',
  MGMT_BUSY:
    'let the other program attach to gwmark instead (passThrough), or stop it: OpenVPN accepts one management client at a time',
  MGMT_LISTEN:
    'stop the other program, or set management.endpoints, and the line "management" of OpenVPN, to another place',
  MGMT_NOBODY:
    'start OpenVPN with the lines "management PATH unix" and "management-client"; it ends when the sidecar does, so let its service restart it',
  MGMT_REFUSED: 'start OpenVPN; the socket file is a leftover of an earlier run',
  MGMT_NOT_FOUND: 'start OpenVPN with the line "management PATH unix", or correct management.endpoints',
  MGMT_REJECTED: "allow this user: OpenVPN's --management-client-user and --management-client-group reject it",
  MGMT_PROTOCOL: 'correct management.endpoints: the program that answers there is not OpenVPN',
};

/** How OpenVPN gets what it asks its management client for. */
const ANSWER =
  'configure the answer in OpenVPN: askpass FILE for a private key, auth-user-pass FILE for a login, and no management-query-passwords; or let the program that has the answer attach to gwmark (passThrough)';

/** Pure. */
export function judgeManagement({ name }: Pick<ServerView, 'name'>, outcome: Trial | Abstention): Judgement {
  const subject = `management ${name}`;
  const expected = 'OpenVPN answers, and the interface is free or used by the sidecar';
  if ('found' in outcome)
    return { severity: outcome.severity, subject, found: outcome.found, expected, remedy: outcome.remedy };
  if (outcome.ok && outcome.question !== null)
    return {
      severity: 'error',
      subject,
      found: `free; OpenVPN waits for ${outcome.question}`,
      expected,
      remedy: ANSWER,
    };
  if (outcome.ok) return fine(subject, `free; ${outcome.title} answers`, expected);
  return {
    severity: 'error',
    subject,
    found: outcome.reason,
    expected,
    remedy: REMEDIES[outcome.code] ?? 'see the reason, and the log of OpenVPN',
  };
}

/** Everything that is known without connecting. */
async function whyNotTry(
  server: ServerView,
  problems: readonly string[],
  controlSocket: string,
): Promise<Abstention | undefined> {
  const { name, endpoint, reported, isTaken, holders } = server;
  if (reported?.question != null)
    return { severity: 'error', found: `used by the sidecar; OpenVPN waits for ${reported.question}`, remedy: ANSWER };
  if (reported !== null && reported.state !== 'connecting')
    return { severity: 'ok', found: 'used by the sidecar', remedy: null };
  const direction = directionProblem(server);
  if (direction !== undefined) return direction;
  const sidecar = holders.find(isSidecar);
  // The sidecar that listens, and has nobody yet, is the one that reported it.
  const isWaiting = endpoint.listen === true && reported !== null;
  if (isTaken && sidecar !== undefined && !isWaiting) {
    return {
      severity: 'info',
      found: `used by gwmark run (pid ${sidecar.pid}), which did not answer at ${controlSocket}`,
      remedy: 'name its control socket with --control-socket; if it is this one, see its log',
    };
  }
  if (isTaken && !isWaiting) {
    const who =
      holders.length === 0
        ? 'another program'
        : holders.map((holder) => `${holder.name} (pid ${holder.pid})`).join(', ');
    return {
      severity: 'error',
      found: `used by ${who}`,
      remedy: REMEDIES[endpoint.listen === true ? 'MGMT_LISTEN' : 'MGMT_BUSY'] ?? null,
    };
  }
  const problem = problems.find((text) => text.startsWith(`${name}:`));
  if (reported !== null)
    return {
      severity: 'error',
      found: problem ?? 'the sidecar is not connected',
      remedy:
        problem !== undefined && /password/.test(problem)
          ? (REMEDIES.MGMT_AUTH ?? null)
          : endpoint.listen === true
            ? (REMEDIES.MGMT_NOBODY ?? null)
            : 'see the log of the sidecar and of OpenVPN',
    };
  return endpoint.listen === true ? NO_LISTENER : whyNotConnect(server);
}

/** Nothing to connect to: the sidecar is what listens, and it does not run. */
const NO_LISTENER: Abstention = {
  severity: 'info',
  found: 'nothing listens there: the sidecar does while it runs',
  remedy: null,
};

/** Both ends listen, or both connect. */
function directionProblem({ name, endpoint, options }: ServerView): Abstention | undefined {
  if (options === null) return undefined;
  const connects = optionOf(options, 'management-client') !== undefined;
  if (connects === (endpoint.listen === true)) return undefined;
  return connects
    ? {
        severity: 'error',
        found: 'OpenVPN does not listen: it connects to its management client (management-client)',
        remedy: `set management.endpoints to listen:${name}, or remove the line management-client from OpenVPN`,
      }
    : {
        severity: 'error',
        found: 'OpenVPN listens, and so does gwmark (listen:)',
        remedy: `set management.endpoints to ${name.slice('listen:'.length)}, or add the line management-client to OpenVPN`,
      };
}

async function whyNotConnect({ endpoint, options }: ServerView): Promise<Abstention | undefined> {
  if (endpoint.kind === 'unix') {
    const reason = await pathProblem(endpoint.path);
    if (reason !== null) return { severity: 'error', ...reason };
  }
  const acts = ACTS_ON_DISCONNECT.find((option) => options !== null && optionOf(options, option) !== undefined);
  if (acts !== undefined)
    return {
      severity: 'info',
      found: `free; not tested, because OpenVPN acts when a management client disconnects (${acts})`,
      remedy: null,
    };
  return undefined;
}

async function pathProblem(path: string): Promise<{ readonly found: string; readonly remedy: string } | null> {
  try {
    const isSocket = (await stat(path)).isSocket();
    return isSocket ? null : { found: 'the file is not a socket', remedy: 'correct management.endpoints' };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { found: 'the socket does not exist', remedy: REMEDIES.MGMT_NOT_FOUND ?? '' };
    if (code === 'EACCES')
      return {
        found: 'permission denied',
        remedy: 'run as root, or give this user access to the directory of the socket',
      };
    return { found: (error as Error).message, remedy: 'correct management.endpoints' };
  }
}

/** Connects, asks one question, and disconnects. */
async function tryToConnect({ endpoint }: ServerView, { management: settings }: Settings): Promise<Trial> {
  try {
    let question: string | null = null;
    const connection = await Connection.open({
      endpoint,
      password: await passwordNow(settings, endpoint),
      connectTimeoutMs: Math.min(settings.connectTimeoutMs, LONGEST_WAIT_MS),
      commandTimeoutMs: settings.commandTimeoutMs,
      maxReplyLines: 1000,
      onNotification: (message) => {
        question ??= questionIn(message);
      },
      onClosed: () => undefined,
    });
    try {
      const { title } = await connection.execute(commands.version());
      return { ok: true, title: title.split(' ').slice(0, 2).join(' '), question };
    } finally {
      await connection.close(new ManagementError('MGMT_CLOSED', 'the doctor is done'));
    }
  } catch (error) {
    if (isManagementError(error)) return { ok: false, code: error.code, reason: error.message };
    throw error;
  }
}
