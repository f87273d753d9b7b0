/** Listings of connection tracking by the program conntrack. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { entriesFrom } from '../../../sidecar/flows/conntrack-flows.js';

const LINE =
  'ipv4 2 udp 17 29 src=192.0.2.1 dst=198.51.100.2 sport=5 dport=7 src=198.51.100.2 dst=192.0.2.1 sport=7 dport=5 mark=0 use=1';

async function list(): Promise<number> {
  let entries = 0;
  for await (const entry of entriesFrom('192.0.2.1')) entries += entry.original.source === '192.0.2.1' ? 1 : 0;
  return entries;
}

describe('entriesFrom', () => {
  const searched = process.env['PATH'];
  let directory = '';
  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'gwmark-conntrack-'));
    process.env['PATH'] = `${directory}:${searched ?? ''}`;
  });
  after(async () => {
    process.env['PATH'] = searched;
    await rm(directory, { recursive: true });
  });

  /** A conntrack that fails so many times, and then lists an entry. */
  const conntrack = async (failures: number, error: string): Promise<void> => {
    const count = path.join(directory, 'count');
    await writeFile(count, '');
    await writeFile(
      path.join(directory, 'conntrack'),
      `#!/bin/sh\necho >>${count}\n[ $(wc -l <${count}) -gt ${failures} ] || { echo "${error}" >&2; exit 1; }\necho "${LINE}"\n`,
      { mode: 0o755 },
    );
  };

  it('lists again what the kernel refuses while it loads the module of such listings', async () => {
    await conntrack(2, 'conntrack v1.4.7 (conntrack-tools): Operation failed: invalid parameters');

    assert.equal(await list(), 1);
  });

  it('is refused with the words of conntrack otherwise', async () => {
    await conntrack(1, 'conntrack v1.4.7 (conntrack-tools): Operation failed: sorry, you must be root');

    await assert.rejects(list(), /conntrack -L -f ipv4 --orig-src 192\.0\.2\.1: .*you must be root/);
  });
});
