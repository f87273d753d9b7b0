import { decodeText } from 'openvpn-management-client';

import type { RealtimeMessage } from './realtime-messages.js';

const NAME = /^>CLIENT:ENV,(?:common_name|username)=(.*)\r$/gm;

/** What a login calls its client: common name and user name, those that it has. */
export function loginNames({ text }: RealtimeMessage): readonly string[] {
  return [...text.matchAll(NAME)].map(([, name = '']) => decodeText(name));
}
