import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { DriverReply, DriverRequest, ResultOf, Task } from './messages.js';

/**
 * Measures in a throw-away network namespace, by a process of its own for each task: no task inherits the heap, the
 * compiled code or the kernel objects of another. When this process ends, however it does, they see their channel
 * closed and end too.
 *
 * @throws Error in one sentence when it cannot be measured
 */
export function runTask<T extends Task>(task: T, profileDirectory: string | null): Promise<ResultOf<T>> {
  const request: DriverRequest = { task, profileDirectory };
  const driver = fileURLToPath(new URL('driver.js', import.meta.url));
  return new Promise((resolve, reject) => {
    const child = spawn('unshare', ['--net', process.execPath, driver, JSON.stringify(request)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      // A session of its own, for `preferThisSession`; it also keeps Ctrl-C from the driver, which has to clean up.
      detached: true,
    });
    child.once('error', (error) => reject(new Error(`cannot run unshare: ${error.message}`)));
    child.once('exit', (code, signal) => {
      reject(new Error(`measuring ${task.kind} (${task.side}) ended early (${signal ?? code})`));
    });
    // The border between our own processes: driver.ts answers with the result of the task it was given.
    child.once('message', (reply: DriverReply) => {
      if (reply.kind === 'result') resolve(reply.result as ResultOf<T>);
      else reject(new Error(`measuring ${task.kind} (${task.side}): ${reply.message}`));
    });
  });
}
