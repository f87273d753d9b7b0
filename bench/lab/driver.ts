/**
 * The other side of a measurement: in a network namespace of its own it plays OpenVPN, starts the process under
 * measurement and looks at the clock. Started by `runTask`, answers with one message.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeManagementServer } from 'openvpn-management-client/testing';
import { measureChange, measureConnect, measureStorm, type Bench } from './driver-tasks.js';
import type { DriverReply, DriverRequest, Result, Task } from './messages.js';
import { makeEndpoint } from './network.js';
import { preferThisSession } from './precedence.js';
import { measureWatch } from './watch-task.js';

// The border between our own processes: run-task.ts starts this and nobody else.
const { task, profileDirectory } = JSON.parse(process.argv[2] ?? '') as DriverRequest;
const directory = await mkdtemp(join(tmpdir(), 'gwmark-bench-'));
// Whoever asked is gone; the namespace goes with this process and its child.
process.once('disconnect', () => void rm(directory, { recursive: true, force: true }).finally(() => process.exit(1)));

preferThisSession();

let reply: DriverReply;
try {
  reply = { kind: 'result', result: await measure() };
} catch (error) {
  reply = { kind: 'failed', message: (error as Error).message };
}
await rm(directory, { recursive: true, force: true });
process.send?.(reply, () => process.exit(0));

async function measure(): Promise<Result> {
  const transport = await makeEndpoint();
  const socketPath = join(directory, 'management.sock');
  await using server = await FakeManagementServer.listen({ listen: { path: socketPath } });
  try {
    return await measureTask({ server, socketPath, directory, profileDirectory }, task);
  } finally {
    transport.close();
  }
}

async function measureTask(bench: Bench, wanted: Task): Promise<Result> {
  switch (wanted.kind) {
    case 'connect':
      return await measureConnect(bench, wanted);
    case 'storm':
      return await measureStorm(bench, wanted);
    case 'change':
      return await measureChange(bench, wanted);
    case 'watch':
      return await measureWatch(bench, wanted);
    default:
      return wanted satisfies never;
  }
}
