import { lexLine } from 'openvpn-management-client';
import type { ByteString } from './bytes.js';

/** A command line of a program, as OpenVPN's lexer takes it apart. */
export interface ProgramCommand {
  readonly line: ByteString;
  /** Its first word; empty for a line that OpenVPN's lexer refuses. */
  readonly name: string;
  readonly parameters: readonly string[];
  /** Why OpenVPN refuses the line; null if it does not. */
  readonly fault: string | null;
}

/** Reads a line; null for an empty one and for a comment, to which OpenVPN says nothing. */
export function readCommand(line: ByteString): ProgramCommand | null {
  const lexed = lexLine(line);
  if (!lexed.ok) return { line, name: '', parameters: [], fault: lexed.error };
  const [name, ...parameters] = lexed.parameters;
  return name === undefined ? null : { line, name, parameters, fault: null };
}

/** Commands that answer a login. */
export const LOGIN_COMMANDS: ReadonlySet<string> = new Set([
  'client-auth',
  'client-auth-nt',
  'client-deny',
  'client-pending-auth',
]);

/** What decides whether a command has a body. */
export interface BodyState {
  /** What OpenVPN waits for now, see `OpenQuestion`. */
  readonly question: ByteString;
  /** Its management interface has version 6, and a program announced 5 with `version N`. */
  readonly takesLongPasswords: boolean;
}

/** sscanf(3) `%lu`, as OpenVPN reads a CID: manage.c parse_cid, v2.6. */
const NUMBER = /^\s*[+-]?\d/;

/**
 * Whether lines up to `END` follow the command. As in OpenVPN that depends on its header: when it refuses that, it takes
 * the lines for commands (manage.c man_client_auth, man_pk_sig, man_query_password_base64; v2.6, v2.7).
 *
 * @param state of OpenVPN
 */
export function hasBody({ name, parameters }: ProgramCommand, state: BodyState): boolean {
  const { question } = state;
  switch (name) {
    case 'client-auth':
      return parameters.length >= 2 && parameters.slice(0, 2).every((word) => NUMBER.test(word));
    case 'pk-sig':
    case 'rsa-sig':
      return question.startsWith('>PK_SIGN:') || question.startsWith('>RSA_SIGN:');
    case 'certificate':
      return question.startsWith('>NEED-CERTIFICATE:');
    case 'password':
      return (
        parameters.length === 1 && state.takesLongPasswords && question.startsWith(`>PASSWORD:Need '${parameters[0]}'`)
      );
    default:
      return false;
  }
}
