import { exec } from '../system/exec.js';
import { type InterfaceDump, parseDump } from './dump.js';

/** What was read of an interface, or why it could not be. */
export type WgReading = { readonly dump: InterfaceDump } | { readonly problem: string };

/**
 * Asks the program `wg`, which knows the kernel's interfaces, and those of programs such as wireguard-go by their
 * socket. Never rejects. Its output has keys, so no error quotes it.
 */
export async function readInterface(name: string): Promise<WgReading> {
  try {
    const { exitCode, stdout, stderr } = await exec('wg', ['show', name, 'dump']);
    if (exitCode !== 0) return { problem: `wg show ${name} failed: ${stderr.trim()}` };
    const dump = parseDump(stdout);
    return dump === null ? { problem: `wg show ${name} dump printed what gwmark does not understand` } : { dump };
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
      ? { problem: 'the program wg is missing: install wireguard-tools' }
      : { problem: error instanceof Error ? error.message : String(error) };
  }
}
