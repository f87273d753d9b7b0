import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { exec, isRunning } from './process.js';

/** Files of one certificate holder. */
export interface Identity {
  readonly commonName: string;
  readonly certificate: string;
  readonly key: string;
}

const DAYS = '2';
const PREFIX = 'gwmark-lab';

/**
 * A certificate authority made on the spot by openssl (P-256 keys), in a directory that disposal removes.
 * The directory is also the place for other short-lived files of a test (sockets, configuration).
 */
export class Pki implements AsyncDisposable {
  readonly directory: string;
  readonly ca: string;
  readonly #caKey: string;

  private constructor(directory: string) {
    this.directory = directory;
    this.ca = path.join(directory, 'ca.crt');
    this.#caKey = path.join(directory, 'ca.key');
  }

  /** Makes the directory and the authority, after removing directories of runs that were killed. */
  static async create(): Promise<Pki> {
    await reapDirectories();
    const pki = new Pki(await mkdtemp(path.join(tmpdir(), `${PREFIX}-${process.pid}-`)));
    await request([
      '-subj',
      '/CN=lab CA',
      '-keyout',
      pki.#caKey,
      '-out',
      pki.ca,
      '-addext',
      'basicConstraints=critical,CA:TRUE',
      '-addext',
      'keyUsage=critical,keyCertSign,cRLSign',
    ]);
    return pki;
  }

  /** Issues a certificate; `usage` decides which side of TLS it may play. */
  async issue(commonName: string, usage: 'server' | 'client'): Promise<Identity> {
    const identity = {
      commonName,
      certificate: path.join(this.directory, `${commonName}.crt`),
      key: path.join(this.directory, `${commonName}.key`),
    };
    await request([
      '-subj',
      `/CN=${commonName}`,
      '-CA',
      this.ca,
      '-CAkey',
      this.#caKey,
      '-keyout',
      identity.key,
      '-out',
      identity.certificate,
      '-addext',
      'basicConstraints=critical,CA:FALSE',
      '-addext',
      'keyUsage=critical,digitalSignature',
      '-addext',
      `extendedKeyUsage=${usage}Auth`,
    ]);
    return identity;
  }

  /** The same holder with its private key under a passphrase. */
  async protect(identity: Identity, passphrase: string): Promise<Identity> {
    const key = `${identity.key}.protected`;
    await exec([
      'openssl',
      'pkcs8',
      '-topk8',
      '-v2',
      'aes-256-cbc',
      '-passout',
      `pass:${passphrase}`,
      '-in',
      identity.key,
      '-out',
      key,
    ]);
    return { ...identity, key };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A program that a failure left behind may still be writing here.
    await rm(this.directory, { recursive: true, force: true, maxRetries: 10 });
  }
}

async function reapDirectories(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const owner = new RegExp(`^${PREFIX}-(\\d+)-`).exec(name)?.[1];
    if (owner !== undefined && !isRunning(Number(owner)))
      await rm(path.join(tmpdir(), name), { recursive: true, force: true });
  }
}

async function request(args: readonly string[]): Promise<void> {
  await exec([
    'openssl',
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-sha256',
    '-days',
    DAYS,
    ...args,
  ]);
}
