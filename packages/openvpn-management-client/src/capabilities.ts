import { ManagementError } from './errors.js';

/** The answer to `version`. */
export interface DaemonVersion {
  /** `OpenVPN 2.6.14 x86_64-pc-linux-gnu [SSL (OpenSSL)] ...` */
  readonly title: string;
  readonly major: number;
  readonly minor: number;
  /** 0 for a development build (`2.8_git`) and a release candidate. */
  readonly patch: number;
  /** The management interface's own number: 1 = 2.4, 3 = 2.5, 4 = 2.6.0, 5 = 2.6.2 to 2.7.1, 6 = 2.7.2. */
  readonly managementVersion: number;
}

/** The differences between daemons, by name. */
export interface Capabilities {
  /** `push-update-broad` and `push-update-cid`: 2.7. */
  readonly hasPushUpdate: boolean;
  /** `kill` by address wants `proto:IP:port`: 2.7. */
  readonly killNeedsProtocol: boolean;
  /** The parameters of client-pending-auth: 2.6.2 and later take all, 2.6.0 no KID, 2.5 no timeout either. */
  readonly pendingAuth: 'none' | 'cid-extra' | 'cid-extra-timeout' | 'cid-kid-extra-timeout';
  /**
   * The key id of the first key exchange of a client that nothing disturbed: 1 since 2.6, which begins every session
   * as TM_INITIAL (ssl.c tls_pre_decrypt), 0 before.
   */
  readonly firstKid: 0 | 1;
}

/**
 * Reads the rows of `version`.
 *
 * @throws ManagementError MGMT_PROTOCOL if there is no OpenVPN version in them
 */
export function parseVersion(lines: readonly string[]): DaemonVersion {
  const title =
    /^OpenVPN Version: (.*)$/.exec(lines.find((line) => line.startsWith('OpenVPN Version:')) ?? '')?.[1] ?? '';
  const match = /^OpenVPN (\d{1,4})\.(\d{1,4})(?:\.(\d{1,6}))?/.exec(title);
  // 2.3 and older have the same name for the second row, with the number 1.
  const management = /^Management (?:Interface )?Version: (\d{1,9})$/.exec(
    lines.find((line) => line.startsWith('Management')) ?? '',
  )?.[1];
  if (match === null || management === undefined) {
    throw new ManagementError(
      'MGMT_PROTOCOL',
      `command "version": no version in ${JSON.stringify(lines.slice(0, 3))}`,
    );
  }
  return {
    title,
    major: Number(match[1]),
    minor: Number(match[2]),
    patch: Number(match[3] ?? 0),
    managementVersion: Number(management),
  };
}

/** The features of a daemon of this version. */
export function capabilitiesOf(version: DaemonVersion): Capabilities {
  const is27 = version.major > 2 || (version.major === 2 && version.minor >= 7);
  const is26 = version.major > 2 || (version.major === 2 && version.minor >= 6);
  const pendingAuth = ((): Capabilities['pendingAuth'] => {
    if (version.managementVersion >= 5) return 'cid-kid-extra-timeout';
    if (version.managementVersion === 4) return 'cid-extra-timeout';
    return version.managementVersion >= 3 ? 'cid-extra' : 'none';
  })();
  return { hasPushUpdate: is27, killNeedsProtocol: is27, pendingAuth, firstKid: is26 ? 1 : 0 };
}
