import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

// Compiled files lie in dist/test/protocol/vm.
const VM = fileURLToPath(new URL('../../../../test/vm/', import.meta.url));

/** In place of a guest: every test passes three checks in five seconds, but one fails, and one is the guest's end. */
const GUEST = `#!/bin/bash
case " $* " in *" --build-only "*) exit ;; esac
tests=() cpus=''
while [ "$1" != -- ]; do
	[ "$1" != --cpus ] || cpus=$2
	shift
done
shift
for script; do
	name=\${script##*/}
	tests+=("\${name%.*}")
done
echo "$cpus \${tests[*]}" >>"\${0%/*}/started"
for name in "\${tests[@]}"; do
	case $name in
	nat) echo 'not ok - nat is broken' && echo '== nat 2 1 5' ;;
	moves) echo 'the kernel is about to panic' && exit 71 ;;
	*) echo "ok - $name" && echo "== $name 3 0 5" ;;
	esac
done
`;

interface Guest {
  readonly cpus: number;
  readonly tests: readonly string[];
}

interface Outcome {
  readonly code: number | null;
  readonly lines: readonly string[];
  readonly guests: readonly Guest[];
}

function conformanceOf(names: readonly string[] = []): readonly string[] {
  return names.filter((name) => name.startsWith('conformance')).toSorted();
}

describe('the tests in virtual machines', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'run-all-'));
    for (const name of readdirSync(VM).filter((each) => /\.(sh|mjs)$/.test(each)))
      writeFileSync(path.join(directory, name), '');
    copyFileSync(path.join(VM, 'run-all'), path.join(directory, 'run-all'));
    writeFileSync(path.join(directory, 'run'), GUEST, { mode: 0o755 });
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('are each run once, by guests that have about the same work', () => {
    const { code, guests, lines } = runAll('--guests', '4', '--except', 'nat', '--except', 'moves');

    const tests = guests.flatMap((guest) => guest.tests);
    assert.deepEqual(tests.toSorted(), [...new Set(tests)].toSorted());
    assert.equal(guests.length, 4);
    assert.ok(
      guests.every((guest) => guest.tests.length > 1),
      JSON.stringify(guests),
    );
    assert.deepEqual([code, lines.at(-1)], [0, `${tests.length * 3} passed, 0 failed`]);
  });

  it('are a part if a sample is asked for', () => {
    const [sampled, whole] = [['--sample'], []].map((options) =>
      runAll('--guests', '1', '--except', 'moves', '--except', 'nat', ...options).guests.flatMap(({ tests }) => tests),
    );

    assert.deepEqual(conformanceOf(sampled), ['conformance-sample']);
    assert.deepEqual(conformanceOf(whole), ['conformance', 'conformance-moves']);
    assert.deepEqual(
      sampled?.filter((name) => name !== 'conformance-sample' && whole?.includes(name) !== true),
      [],
    );
  });

  it('are in one guest if they keep a processor busy', () => {
    const { guests } = runAll('--guests', '4', '--except', 'moves', '--except', 'nat');

    assert.deepEqual(
      guests
        .filter(({ tests }) => tests.some((name) => /^conformance|openvpn$|nexthop$/.test(name)))
        .map(({ tests }) => tests),
      [['conformance-moves', 'conformance', 'inline-nexthop', 'inline-openvpn', 'openvpn']],
    );
  });

  it('have two processors together if something goes away under traffic, and else one', () => {
    const { guests } = runAll('--guests', '3', 'mtu', 'unload', 'inline', 'queued', 'faults');

    assert.deepEqual(
      guests.filter(({ cpus }) => cpus === 2).map(({ tests }) => tests),
      [['unload', 'queued', 'faults']],
    );
    assert.deepEqual(
      guests.filter(({ cpus }) => cpus === 1).map(({ tests }) => tests.join(' ')),
      ['inline', 'mtu'],
    );
  });

  it('are shown with what they said if they fail', () => {
    const { code, lines } = runAll('--guests', '2', 'nat', 'mtu');

    const at = lines.findIndex((line) => /^FAILED +6\.1 +nat +2 passed, 1 failed, +5 s$/.test(line));
    assert.equal(lines[at + 1], '    not ok - nat is broken', lines.join('\n'));
    assert.deepEqual([code, lines.at(-1)], [1, '5 passed, 1 failed']);
  });

  it('are a failure if their guest ended before them, and those of the other guests are not', () => {
    const { code, lines } = runAll('--guests', '2', '--cpus', '1', 'moves', 'nat', 'inline');

    const at = lines.findIndex((line) => /^FAILED +6\.1 +moves nat +0 passed, 1 failed, +0 s$/.test(line));
    assert.deepEqual(
      lines.slice(at + 1, at + 3),
      ['    the guest ended with exit code 71', '    the kernel is about to panic'],
      lines.join('\n'),
    );
    assert.deepEqual([code, lines.at(-1)], [1, '3 passed, 1 failed']);
  });

  it('are refused if there are none of that name', () => {
    const { code, guests } = runAll('mtu', 'nonsense');

    assert.deepEqual([code, guests], [64, []]);
  });

  function runAll(...args: readonly string[]): Outcome {
    const started = path.join(directory, 'started');
    writeFileSync(started, '');
    const { status, stdout } = spawnSync('bash', [path.join(directory, 'run-all'), ...args], { encoding: 'utf8' });
    const guests = readFileSync(started, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [cpus = '', ...tests] = line.split(' ');
        return { cpus: Number(cpus), tests };
      });
    return {
      code: status,
      lines: stdout.trim().split('\n'),
      // They start at once, in any order.
      guests: guests.toSorted((a, b) => a.tests.join(' ').localeCompare(b.tests.join(' '))),
    };
  }
});
