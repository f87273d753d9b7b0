import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import path from 'node:path';

import { debianRoot } from '../compose/roots.js';
import { exec } from '../lab/process.js';
import { DebianRoot } from '../packages/root.js';

/** The oldest that is supported: what its nft writes can be read by every other, and not the other way round. */
const SUITE = 'bookworm';

/**
 * What neighbours are made of. They are installed here and not on this machine, where their services would be started.
 */
const PACKAGES = [
  'systemd-sysv',
  'dbus',
  'iproute2',
  'iputils-ping',
  'nftables',
  'iptables',
  'procps',
  'kmod',
  'firewalld',
  'ufw',
  'fail2ban',
  'python3-systemd',
  'network-manager',
  'isc-dhcp-client',
  'dnsmasq-base',
  'radvd',
  'openssh-server',
  'wireguard-go',
  'wireguard-tools',
] as const;

/**
 * A Debian with every program of the table, made at the first call on this machine and kept in the cache. The caller
 * disposes of it.
 */
export async function neighbourRoot(): Promise<DebianRoot> {
  const bare = await debianRoot(SUITE);
  const name = createHash('sha256').update(PACKAGES.join(' ')).digest('hex').slice(0, 12);
  const file = path.join(path.dirname(bare), `beside-${SUITE}-${name}.tar`);
  if (existsSync(file)) return await DebianRoot.unpack(SUITE, file);
  const root = await DebianRoot.create(SUITE);
  try {
    await root.install(...PACKAGES);
    const unfinished = `${file}.${process.pid}`;
    await exec(
      [
        'tar',
        '-C',
        root.directory,
        '--exclude=./var/cache/apt/archives/*.deb',
        '--exclude=./var/lib/apt/lists/*',
        '-cf',
        unfinished,
        '.',
      ],
      { timeoutMs: 600_000 },
    );
    await rename(unfinished, file);
    return root;
  } catch (error) {
    await root[Symbol.asyncDispose]();
    throw error;
  }
}
