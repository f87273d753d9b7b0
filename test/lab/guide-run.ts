import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { fencedBlocks, type GuideBlock, readGuide, shellWords } from './guide.js';
import type { Namespace } from './namespace.js';
import { PROGRAM, type Sidecar } from './sidecar.js';
import type { OneArm } from './topology.js';

/** Where guides have their files. */
const SOCKET_OF_GUIDE = '/run/openvpn/management.sock';
const CONFIG_OF_GUIDE = '/etc/gwmark/gwmark.yaml';

/** Where a guide is typed: a lab of OpenVPN, or of another VPN. */
export interface GuideLab {
  readonly topology: OneArm;
  /** A directory for configuration and the control socket. */
  readonly directory: string;
  /** Null without OpenVPN. */
  readonly managementSocket: string | null;
  readonly sidecar: Sidecar;
  /** Starts the sidecar and waits until it is ready. */
  startSidecar(...flags: readonly string[]): Promise<Sidecar>;
}

/** How a guide is typed. */
export interface GuideRun {
  readonly lab: GuideLab;
  /** Path below the root of the project. */
  readonly file: string;
  /** What happens before the first line of a block that has this word: `connected`. */
  readonly before?: Readonly<Record<string, () => Promise<void>>>;
  /** What must be so after each block. */
  readonly after?: (block: GuideBlock) => Promise<void>;
}

/**
 * Types the fenced blocks of a guide unchanged, one line after the other, on the machine that each names: `sh
 * endpoint`, `sh router`. `background` starts the sidecar, `yaml endpoint` is written to the configuration file.
 * Blocks that name no machine are not typed. Paths of the guide are those of the lab. Resolves with everything that
 * was printed; a line that fails is an error.
 */
export async function typeGuide({ lab, file, before = {}, after }: GuideRun): Promise<string> {
  const config = path.join(lab.directory, 'guide.yaml');
  await writeFile(config, '');
  const { endpoint, r1, r2, u } = lab.topology;
  const machines: Readonly<Record<string, readonly Namespace[]>> = { endpoint: [endpoint], router: [r1, r2, u] };
  const env = {
    ...process.env,
    PATH: `${path.dirname(PROGRAM)}:${process.env['PATH'] ?? ''}`,
    GWMARK_CONTROL_SOCKET: path.join(lab.directory, 'gwmark.sock'),
    GWMARK_CONFIG: config,
  };
  const outputs: string[] = [];
  for (const block of fencedBlocks(readGuide(file))) {
    const [where = '', when = ''] = block.words;
    const namespaces = machines[where];
    if (namespaces === undefined) continue;
    const text = block.text
      .replaceAll(SOCKET_OF_GUIDE, lab.managementSocket ?? SOCKET_OF_GUIDE)
      .replaceAll(CONFIG_OF_GUIDE, config);
    await before[when]?.();
    if (block.language === 'yaml') {
      await writeFile(config, text);
    } else if (when === 'background') {
      const { controlSocket } = await lab.startSidecar(...flagsOf(text.trim()));
      assert.equal(controlSocket, env.GWMARK_CONTROL_SOCKET);
    } else {
      for (const namespace of namespaces) {
        for (const line of text.trim().split('\n')) {
          if (line.startsWith('gwmark down')) await lab.sidecar.stop();
          outputs.push(await namespace.run(['sh', '-ec', line], { env, timeoutMs: 40_000 }));
        }
      }
    }
    await after?.(block);
  }
  return outputs.join('');
}

/** What `gwmark run` is given beside the management socket, which the lab gives. */
function flagsOf(line: string): readonly string[] {
  const [program, command, ...words] = shellWords(line);
  assert.deepEqual([program, command], ['gwmark', 'run']);
  const at = words.indexOf('--management');
  return at < 0 ? words : words.toSpliced(at, 2);
}
