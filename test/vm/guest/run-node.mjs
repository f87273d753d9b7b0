// For tests of the guest that are written in TypeScript: what they need of the kernel, and the environment of the lab.
import { execFileSync, spawnSync } from 'node:child_process';

const MODULES = ['nf_conntrack', 'nf_defrag_ipv6', 'nf_tables', 'bridge', 'br_netfilter', 'veth', 'tun', '8021q'];

/**
 * Runs a mocha suite of test/vm, by its name without `.test.ts`; arguments of the script go to mocha. A skipped test is
 * a failed one.
 */
export function runSuite(name) {
  const options = ['--config', '.mocharc.json', '--reporter', 'tap', '--forbid-pending', '--exit'];
  runNode('node_modules/mocha/bin/mocha.js', ...options, `dist/test/vm/${name}.test.js`, ...process.argv.slice(2));
}

/**
 * Runs node with these arguments in the repository and ends with its exit code. The sidecar takes every GWMARK_* for a
 * setting, so these stay behind, and the module's file is named by LAB_MODULE. An emulated machine is some ten times
 * slower than the one it runs on, and that one may be busy.
 */
export function runNode(...args) {
  execFileSync('modprobe', ['-a', ...MODULES], { stdio: 'inherit' });
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('GWMARK_'));
  const env = { ...Object.fromEntries(kept), LAB_MODULE: process.env.GWMARK_KO, LAB_PATIENCE: '20' };
  const { status } = spawnSync(process.execPath, args, { cwd: process.env.GWMARK_REPO, stdio: 'inherit', env });
  process.exit(status ?? 1);
}
