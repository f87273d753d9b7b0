import { exec } from './exec.js';

/**
 * Gives a file another owner.
 *
 * @param owner as chown(1) takes it: the names of users are not in Node
 * @throws if chown(1) fails; the message is its own
 */
export async function chown(path: string, owner: string): Promise<void> {
  await exec('chown', ['--', owner, path]);
}
