import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { exec } from './process.js';

const SCRIPT = path.join(fileURLToPath(new URL('../../../', import.meta.url)), 'scripts/openvpn-version.sh');

/**
 * The argument list that runs an OpenVPN of that version, for `program` of a server or client; 2.5 and 2.7 are fetched
 * at the first call on this machine.
 */
export async function openVpnOfVersion(version: '2.5' | '2.6' | '2.7'): Promise<readonly string[]> {
  return [(await exec([SCRIPT, version], { timeoutMs: 300_000 })).trim()];
}
