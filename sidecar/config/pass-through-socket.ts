import { resolve } from 'node:path';

import {
  formatEndpoint,
  parseEndpoint,
  parsePlace,
  type Place,
  PLACE_EXPECTED,
} from 'openvpn-management-client/endpoint';
import { parseMode, parseOwner, plainMode } from './endpoint.js';
import { type AllowedCommands, parseAllowedCommands } from './management-commands.js';

/** An entry of the setting `passThrough`: a socket where programs attach as they would to OpenVPN. */
export type PassThroughPlace = Place & {
  /** The endpoint of the OpenVPN that they reach, as in `management.endpoints`; without, the only one. */
  readonly management?: string;
  /** The file with the password that they have to give; without, they are asked for none. */
  readonly passwordFile?: string;
  /** Of a unix socket, 0..0o777; without, 0600. */
  readonly mode?: number;
  /** Of a unix socket, as chown(1) takes it; without, ours. */
  readonly owner?: string;
  /** Without: see {@link allowedAt}. */
  readonly allow?: AllowedCommands;
  /** Programs here answer logins, or never do; without: they may. */
  readonly logins?: boolean;
};

/** What {@link parsePassThroughPlace} reads. */
export const PASS_THROUGH_EXPECTED = `${PLACE_EXPECTED}, optionally followed by @ENDPOINT, or in YAML a mapping of such an "address" and "management", "passwordFile", "allow", "logins", for "unix:" also the "mode" (as "0660") and "owner" (as "root:monitor") of the socket`;

/** `unix:/run/gwmark/a.sock@unix:/run/openvpn/a.sock`: a path may have an `@` of its own. */
const WITH_ENDPOINT = /^(.+)@((?:listen:)?(?:unix|tcp):.+)$/;

type Parsed = { readonly place: PassThroughPlace } | { readonly expected: string };
const WRONG: Parsed = { expected: PASS_THROUGH_EXPECTED };

/** Reads one entry: text or a mapping. @returns the place, or what would have been right */
export function parsePassThroughPlace(value: unknown): Parsed {
  if (typeof value === 'string') return parseAddress(value);
  if (typeof value !== 'object' || value === null) return WRONG;
  const {
    address,
    management,
    passwordFile,
    mode,
    owner,
    allow,
    logins,
    ...others
  }: Partial<Record<string, unknown>> = value;
  if (typeof address !== 'string' || Object.keys(others).length > 0) return WRONG;
  if (management !== undefined && typeof management !== 'string') return WRONG;
  const parsed = parseAddress(management === undefined ? address : `${address}@${management}`);
  if ('expected' in parsed) return parsed;
  const { place } = parsed;
  const isFile = typeof passwordFile === 'string' && passwordFile !== '' && !passwordFile.includes('\0');
  if (passwordFile !== undefined && !isFile) return WRONG;
  if (logins !== undefined && typeof logins !== 'boolean') return WRONG;
  const [modeBits, ownerName] = [parseMode(mode), parseOwner(owner)];
  if (modeBits === null || ownerName === null) return WRONG;
  if (place.kind === 'tcp' && (mode !== undefined || owner !== undefined)) return WRONG;
  const commands = allow === undefined ? undefined : parseAllowedCommands(allow);
  if (commands !== undefined && 'expected' in commands) return { expected: `allow: ${commands.expected}` };
  return {
    place: {
      ...place,
      ...(isFile ? { passwordFile } : {}),
      ...(modeBits === undefined ? {} : { mode: modeBits }),
      ...(ownerName === undefined ? {} : { owner: ownerName }),
      ...(commands === undefined ? {} : { allow: commands.allowed }),
      ...(typeof logins === 'boolean' ? { logins } : {}),
    },
  };
}

function parseAddress(text: string): Parsed {
  const [, address = text, at] = WITH_ENDPOINT.exec(text) ?? [];
  const place = parsePlace(address);
  const endpoint = at === undefined ? undefined : parseEndpoint(at);
  if (place === undefined || (at !== undefined && endpoint === undefined)) return WRONG;
  return { place: { ...place, ...(endpoint === undefined ? {} : { management: formatEndpoint(endpoint) }) } };
}

/** The value that {@link parsePassThroughPlace} reads back. */
export function plainPassThroughPlace(place: PassThroughPlace): string | Readonly<Record<string, unknown>> {
  const { management, passwordFile, mode, owner, allow, logins } = place;
  const address = formatEndpoint(place);
  const details = {
    ...(passwordFile === undefined ? {} : { passwordFile }),
    ...(mode === undefined ? {} : { mode: plainMode(mode) }),
    ...(owner === undefined ? {} : { owner }),
    ...(allow === undefined ? {} : { allow }),
    ...(logins === undefined ? {} : { logins }),
  };
  if (Object.keys(details).length === 0) return management === undefined ? address : `${address}@${management}`;
  return { address, ...(management === undefined ? {} : { management }), ...details };
}

/** With the password file's path taken from `directory`, if it is relative. */
export function passThroughPlaceFrom(place: PassThroughPlace, directory: string): PassThroughPlace {
  const { passwordFile } = place;
  return passwordFile === undefined ? place : { ...place, passwordFile: resolve(directory, passwordFile) };
}

/**
 * What may be sent there: as `allow` says, else everything at a unix socket that only the user of the sidecar may use,
 * and elsewhere what only reads.
 */
export function allowedAt(place: PassThroughPlace): AllowedCommands {
  if (place.allow !== undefined) return place.allow;
  const isOurs = place.kind === 'unix' && place.owner === undefined && ((place.mode ?? 0o600) & 0o077) === 0;
  return isOurs ? 'all' : 'read';
}
