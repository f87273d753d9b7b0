import type { Notification } from 'openvpn-management-client';

/**
 * What OpenVPN cannot continue without, and asks its management client for; null for any other message.
 *
 * @see management-notes.txt "COMMAND -- password and username", "needok", "pk-sig", "certificate"
 */
export function questionIn(message: Notification): string | null {
  switch (message.kind) {
    case 'password:need':
      return `the ${message.needs === 'username/password' ? 'user name and the password' : message.needs} of '${message.type}'`;
    case 'need-ok':
    case 'need-str':
      return `an answer to '${message.type}' (${message.text})`;
    case 'pk-sign':
    case 'rsa-sign':
      return 'a signature (management-external-key)';
    case 'need-certificate':
      return 'a certificate (management-external-cert)';
    default:
      return null;
  }
}
