import { didYouMean } from './did-you-mean.js';

/** Commands that only read: they change nothing in OpenVPN, nor what another program gets. */
const READING = [
  'help',
  'version',
  'pid',
  'status',
  'load-stats',
  'nclients',
  'state',
  'log',
  'echo',
  'bytecount',
  'env-filter',
  'hold',
  'verb',
  'mute',
  'auth-retry',
  'remote-entry-count',
  'remote-entry-get',
] as const;
/** Those of them that change something if they have an argument. */
const READING_WITHOUT_ARGUMENTS: ReadonlySet<string> = new Set(['version', 'hold', 'verb', 'mute', 'auth-retry']);
const CHANGING = [
  'signal',
  'kill',
  'client-kill',
  'client-auth',
  'client-auth-nt',
  'client-deny',
  'client-pending-auth',
  'username',
  'password',
  'forget-passwords',
  'needok',
  'needstr',
  'cr-response',
  'rsa-sig',
  'pk-sig',
  'certificate',
  'pkcs11-id-count',
  'pkcs11-id-get',
  'proxy',
  'remote',
  'push-update-broad',
  'push-update-cid',
  'net',
  'test',
] as const;
/** The commands of OpenVPN 2.5 to 2.7: manage.c man_dispatch_command. */
const KNOWN: readonly string[] = [...READING, ...CHANGING];
const NAME = /^[a-z][a-z0-9-]{0,62}$/;
/** These end the connection of the program that sends them, nothing else. */
const ALWAYS: ReadonlySet<string> = new Set(['exit', 'quit']);

/** Which commands programs may send: every one, those that only read, or these. */
export type AllowedCommands = 'all' | 'read' | readonly string[];

/** What {@link parseAllowedCommands} reads. */
export const ALLOWED_COMMANDS_EXPECTED = '"all", "read", or a list of commands of the management interface, each once';

/** Reads an `allow`. @returns the value, or what would have been right */
export function parseAllowedCommands(
  value: unknown,
): { readonly allowed: AllowedCommands } | { readonly expected: string } {
  if (value === 'all' || value === 'read') return { allowed: value };
  const names: readonly unknown[] = Array.isArray(value) ? value : [value];
  const wrong = names.find((name) => typeof name !== 'string' || !NAME.test(name));
  if (names.length === 0 || wrong !== undefined || new Set(names).size < names.length)
    return { expected: ALLOWED_COMMANDS_EXPECTED };
  // A later OpenVPN has more than are known here: what resembles none of them is let through.
  for (const name of names as readonly string[]) {
    const meant = KNOWN.includes(name) || ALWAYS.has(name) ? undefined : didYouMean(name, KNOWN);
    if (meant !== undefined)
      return { expected: `a command of OpenVPN instead of "${name}"; did you mean "${meant}"?` };
  }
  return { allowed: names as readonly string[] };
}

/** Whether a command may be sent with these arguments. */
export function isAllowed(allowed: AllowedCommands, name: string, parameters: readonly string[]): boolean {
  if (allowed === 'all' || ALWAYS.has(name)) return true;
  if (allowed !== 'read') return allowed.includes(name);
  if (!(READING as readonly string[]).includes(name)) return false;
  return parameters.length === 0 || !READING_WITHOUT_ARGUMENTS.has(name);
}

/** What a program is told that sends a command which it may not. */
export function refusalOf(allowed: AllowedCommands, name: string): string {
  if (allowed === 'read') return `command "${name}" is not allowed at this socket, only those that read are`;
  const meant = typeof allowed === 'string' ? undefined : didYouMean(name, allowed);
  const hint = meant === undefined ? '' : `; did you mean "${meant}"?`;
  return `command "${name}" is not allowed at this socket, only ${typeof allowed === 'string' ? allowed : allowed.join(', ')}${hint}`;
}
