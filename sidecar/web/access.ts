import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/** Who may read. */
export interface AccessRules {
  /** What `Authorization: Bearer` has to say. */
  readonly token: string;
  /** Names besides `localhost` by which a browser may call the server; null: any, because only a proxy can. */
  readonly hosts: readonly string[] | null;
}

/** Why a request is refused; null if it is not. */
export interface Refusal {
  readonly status: 401 | 421;
  readonly text: string;
}

/**
 * A page of another site may let its name resolve to this machine (DNS rebinding), and then reads what this server
 * answers to its own name. An IP address resolves to nothing, so only names are checked.
 */
export function refuseHost(host: string | undefined, { hosts }: AccessRules): Refusal | null {
  if (hosts === null) return null;
  const name = hostName(host ?? '');
  if (name === 'localhost' || isIP(name) !== 0 || hosts.includes(name)) return null;
  return {
    status: 421,
    text: `this server is not known as ${JSON.stringify(name)}; start it with --allow-host if it should be\n`,
  };
}

/** Compares the token in constant time. */
export function refuseToken(headers: IncomingHttpHeaders, { token }: AccessRules): Refusal | null {
  const [, given = ''] = /^Bearer (.+)$/.exec(headers.authorization ?? '') ?? [];
  const digests = [given, token].map((text) => createHash('sha256').update(text).digest());
  const [a, b] = digests;
  if (a !== undefined && b !== undefined && timingSafeEqual(a, b)) return null;
  return { status: 401, text: 'the token is missing or wrong: open the address that "gwmark web" printed\n' };
}

/** `[::1]:8119` -> `::1`; lower case. */
function hostName(host: string): string {
  return (/^\[(.*)\](:\d+)?$/.exec(host)?.[1] ?? host.replace(/:\d+$/, '')).toLowerCase();
}
