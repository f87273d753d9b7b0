import { exec } from './process.js';

/**
 * Runs a script in a mount namespace of its own whose /dev has nothing but `null`: a devtmpfs that no program has
 * filled lacks the links `stdin` and `fd` as well.
 *
 * @param url of a module, which the script has as `imported`
 * @param script of an ES module
 * @returns what it printed
 * @throws Error when it fails
 */
export async function withoutDevStdin(url: string, script: string): Promise<string> {
  const small = 'mount -t tmpfs -o mode=755 none /dev && mknod -m 666 /dev/null c 1 3 && exec "$@"';
  const whole = `const imported = await import(process.argv[1]); ${script}`;
  const node = [process.execPath, '--input-type=module', '--eval', whole, url];
  return await exec(['unshare', '--mount', 'sh', '-c', small, 'sh', ...node]);
}
