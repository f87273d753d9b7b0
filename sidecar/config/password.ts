import { type Endpoint, formatEndpoint, Secret } from 'openvpn-management-client';

import type { Settings } from './settings.js';
import { readText } from './text-file.js';

/** The longest password that an OpenVPN can hold (misc.h USER_PASS_LEN, with PKCS#11). */
const MAX_PASSWORD_BYTES = 4096;

/**
 * The content of a file, or why it cannot be used, to complete "a file with the password on one line; ...".
 */
export type PasswordRead = { readonly secret: Secret } | { readonly reason: string };

/** Reads a password file: one line, of which one trailing newline is dropped. */
export async function readPasswordFile(file: string): Promise<PasswordRead> {
  const text = await readText(file, MAX_PASSWORD_BYTES);
  if (!('text' in text)) return { reason: text.reason };
  const password = text.text.replace(/\r?\n$/, '');
  if (password === '') return { reason: 'it is empty' };
  if (/[\r\n\0]/.test(password)) return { reason: 'it has more than one line' };
  return { secret: new Secret(password) };
}

/**
 * The password for an endpoint: what its file holds now, so that a corrected one counts at the next attempt. Where it
 * cannot be read any more (a pipe, `<(...)`), what it held when the configuration was read; undefined if none is
 * configured.
 */
export async function passwordNow(
  management: Settings['management'],
  endpoint: Endpoint,
): Promise<Secret | undefined> {
  const name = formatEndpoint(endpoint);
  const file =
    management.endpoints.find((configured) => formatEndpoint(configured) === name)?.passwordFile ??
    management.passwordFile;
  return file === null ? undefined : passwordIn(file, management);
}

/** What a password file holds now, or held when the configuration was read; undefined if it never could be read. */
export async function passwordIn(file: string, management: Settings['management']): Promise<Secret | undefined> {
  const read = await readPasswordFile(file);
  return 'secret' in read ? read.secret : management.passwords.get(file);
}

/**
 * The pause after a password that was refused, ms: three of the longest others, since only the operator can fix that.
 */
export function authRetryMs({ backoffMaxMs }: Settings['management']): number {
  return backoffMaxMs * 3;
}
