import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openNftables, type Command, type Nftables } from 'nftables-json';
import { withoutDevStdin } from '../../lab/small-dev.js';
import { eventually } from '../../lab/wait.js';
import { refusal } from './contract-fixture.js';
import { requireOwnNamespace } from './namespace-guard.js';

const IN = { family: 'inet', table: 'executors' } as const;
const SKELETON: readonly Command[] = [
  { flush: { ruleset: null } },
  { add: { table: { family: 'inet', name: 'executors' } } },
  { add: { set: { ...IN, name: 'clients', type: 'ipv4_addr' } } },
];

describe('the choice of an executor', () => {
  before(requireOwnNamespace);

  it('is libnftables where it can be loaded', async () => {
    await using nftables = await openNftables();

    assert.equal(nftables.executor, 'library');
    assert.match((await nftables.features()).version, /^\d+\.\d+/u);
  });

  it('is the spawned program where more files are open than libnftables supports', async () => {
    const reasons: string[] = [];
    const files = Array.from({ length: 1100 }, () => openSync('/dev/null', 'r'));
    try {
      await using nftables = await openNftables({ onFallback: (reason) => reasons.push(reason) });

      assert.equal(nftables.executor, 'process');
      assert.match(reasons.join('|'), /^\d{4} files are open in this process/u);
    } finally {
      files.forEach(closeSync);
    }
  });

  it('falls back to the spawned program, and says why', async () => {
    const reasons: string[] = [];

    await using nftables = await openNftables({
      libraryPath: 'libabsent.so.1',
      onFallback: (reason) => reasons.push(reason),
    });

    assert.equal(nftables.executor, 'process');
    assert.match(reasons.join('|'), /^libabsent\.so\.1 cannot be loaded: /u);
  });

  it('does not fall back when the library was asked for', async () => {
    const error = await refusal(openNftables({ executor: 'library', libraryPath: 'libabsent.so.1' }));

    assert.equal(error.code, 'UNAVAILABLE');
  });

  it('is refused with UNAVAILABLE where there is no program', async () => {
    const error = await refusal(openNftables({ executor: 'process', program: '/absent/nft' }));

    assert.equal(error.code, 'UNAVAILABLE');
    assert.match(error.message, /\/absent\/nft cannot be started/u);
  });

  it('is refused where nft crashes on the rules of a newer one, for its library would take this process with it', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'nft-crash-'));
    try {
      const program = join(directory, 'nft');
      writeFileSync(program, '#!/bin/sh\nkill -s SEGV $$\n', { mode: 0o755 });

      const error = await refusal(openNftables({ program }));

      assert.equal(error.code, 'UNAVAILABLE');
      assert.match(error.message, /nft crashes \(SIGSEGV\) .* a newer nftables made them/u);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('is the spawned program where there is no /dev/stdin', async () => {
    const program = `
      const nftables = await imported.openNftables({ executor: 'process' });
      await nftables.run([{ add: { table: { family: 'inet', name: 'executors' } } }]);
      console.log(nftables.executor);`;

    assert.equal(await withoutDevStdin(import.meta.resolve('nftables-json'), program), 'process\n');
  });

  it('is refused with EINVAL for a limit that is none', async () => {
    assert.equal((await refusal(openNftables({ timeoutMs: 0 }))).code, 'EINVAL');
  });

  for (const executor of ['library', 'process']) {
    it(`is refused with EPERM by the ${executor} executor for a user without rights`, () => {
      const program = `
        const { openNftables } = await import(process.argv[1]);
        await openNftables({ executor: '${executor}' }).then(() => console.log('opened'), (error) => console.log(error.code, error.message));`;
      const packageUrl = import.meta.resolve('nftables-json');

      const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', program, packageUrl], {
        uid: 65534,
        gid: 65534,
        encoding: 'utf8',
      });

      assert.match(stdout, /^EPERM nftables cannot be read: .*CAP_NET_ADMIN is needed/u);
    });
  }
});

describe('libnftables in process', () => {
  let nftables: Nftables;
  before(requireOwnNamespace);

  beforeEach(async () => {
    nftables = await openNftables({ executor: 'library' });
    await nftables.run(SKELETON);
  });

  afterEach(async () => {
    await nftables.run([{ flush: { ruleset: null } }]);
    await nftables[Symbol.asyncDispose]();
  });

  it('leaves the event loop free while it works', async () => {
    let turns = 0;
    let isDone = false;
    const turn = (): void => {
      turns += 1;
      if (!isDone) setImmediate(turn);
    };
    setImmediate(turn);

    await nftables.run([addAddresses(100_000)]);
    isDone = true;

    // A call on this thread would let one pass, and that before it begins. It takes a thread long enough for thousands.
    assert.ok(turns > 10, `${turns} turns of the event loop`);
  });

  it('tells a caller about the timeout, and lets the next call wait for the late one', async () => {
    // To open one starts nft, which takes longer than that on a busy machine.
    await using impatient = await eventually(() => openNftables({ executor: 'library', timeoutMs: 40 }), {
      what: 'nft answers in time',
    });

    const error = await refusal(impatient.run([addAddresses(100_000)]));
    const [set] = await nftables.list({ set: { ...IN, name: 'clients' } });

    assert.equal(error.code, 'TIMEOUT');
    assert.ok(set && 'set' in set);
    assert.equal(set.set.elem?.length, 100_000);
  });

  it('gives a terse listing of a table with 100,000 elements in as many bytes as one with 100', async () => {
    const terse = async (): Promise<string> =>
      JSON.stringify(await nftables.list({ table: { family: 'inet', name: 'executors' } }, { terse: true }));
    await nftables.run([addAddresses(100)]);
    const few = await terse();
    await nftables.run([addAddresses(100_000)]);

    assert.equal(await terse(), few);
    // Nor does libnftables print more than that: what it prints is bounded here.
    await using narrow = await openNftables({ executor: 'library', maxOutputBytes: 4096 });
    await narrow.list({ table: { family: 'inet', name: 'executors' } }, { terse: true });
    assert.equal((await refusal(narrow.list({ table: { family: 'inet', name: 'executors' } }))).code, 'OVERFLOW');
  });

  it('does not grow in memory over thousands of changes, listings and refusals', async () => {
    await churn(nftables, 1500);
    const before = process.memoryUsage().rss;

    await churn(nftables, 1500);

    // A context that leaked its cache or its input would lose several KiB each time.
    assert.ok(process.memoryUsage().rss - before < 8 * 1024 * 1024, `${process.memoryUsage().rss - before} bytes`);
  });

  it('lets rules fill a set whose flag dynamic it had to leave out', async () => {
    execFileSync('ip', ['link', 'set', 'lo', 'up']);
    await nftables.run([
      {
        add: {
          set: {
            ...IN,
            name: 'seen',
            type: ['ipv4_addr', 'inet_service'],
            flags: ['dynamic', 'timeout'],
            timeout: 300,
            size: 16,
          },
        },
      },
      { add: { chain: { ...IN, name: 'input', type: 'filter', hook: 'input', prio: 0 } } },
      {
        add: {
          rule: {
            ...IN,
            chain: 'input',
            expr: [
              {
                set: {
                  op: 'update',
                  elem: {
                    concat: [
                      { payload: { protocol: 'ip', field: 'daddr' } },
                      { payload: { protocol: 'udp', field: 'dport' } },
                    ],
                  },
                  set: '@seen',
                },
              },
            ],
          },
        },
      },
    ]);
    const generation = await nftables.generation();

    await sendDatagram('127.0.0.5', 5005);

    const [set] = await nftables.list({ set: { ...IN, name: 'seen' } });
    assert.ok(set && 'set' in set);
    const [element] = set.set.elem ?? [];
    assert.ok(typeof element === 'object' && 'elem' in element);
    assert.deepEqual(element.elem.val, { concat: ['127.0.0.5', 5005] });
    assert.equal(await nftables.generation(), generation);
  });
});

describe('the spawned program', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'nftables-json-test-'));
  });

  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  it('is given the commands in a file that only its user can read and that has no name any more', async () => {
    const report = join(directory, 'report');
    const program = script(
      `{ stat -L -c %a /proc/self/fd/0; readlink /proc/self/fd/0; echo "$LC_ALL $*"; cat; } > ${report}`,
    );

    await openNftables({ executor: 'process', program }).then((nftables) => nftables[Symbol.asyncDispose]());

    const [mode, name, args, input] = readFileSync(report, 'utf8').split('\n');
    assert.equal(mode, '600');
    assert.match(name ?? '', / \(deleted\)$/u);
    assert.match(args ?? '', /^C --json /u);
    assert.match(input ?? '', /^\{"nftables":\[/u);
  });

  it('is killed when it gives no answer in time', async () => {
    const error = await refusal(
      openNftables({ executor: 'process', program: script('exec tail -f /dev/null'), timeoutMs: 100 }),
    );

    assert.equal(error.code, 'TIMEOUT');
  });

  it('is killed when it prints more than it may', async () => {
    const error = await refusal(
      openNftables({ executor: 'process', program: script('exec yes'), maxOutputBytes: 100_000 }),
    );

    assert.equal(error.code, 'OVERFLOW');
  });

  it('is reported when a signal ends it', async () => {
    const error = await refusal(openNftables({ executor: 'process', program: script('kill -9 $$') }));

    assert.equal(error.code, 'UNAVAILABLE');
    assert.match(error.message, /SIGKILL, outcome unknown/u);
  });

  it('is reported when what it prints is no listing', async () => {
    const error = await refusal(openNftables({ executor: 'process', program: script('echo garbage') }));

    assert.equal(error.code, 'UNKNOWN');
  });

  function script(body: string): string {
    const path = join(directory, 'nft');
    writeFileSync(path, `#!/bin/sh\n${body}\n`);
    chmodSync(path, 0o755);
    return path;
  }
});

function addAddresses(count: number): Command {
  const elem = Array.from({ length: count }, (_, index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`);
  return { add: { element: { ...IN, name: 'clients', elem } } };
}

/** Changes, listings, and now and then a refusal. */
async function churn(nftables: Nftables, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await nftables.run([{ add: { element: { ...IN, name: 'clients', elem: ['192.0.2.1'] } } }]);
    await nftables.run([{ delete: { element: { ...IN, name: 'clients', elem: ['192.0.2.1'] } } }]);
    await nftables.list({ ruleset: null });
    if (round % 100 === 0) {
      await refusal(nftables.run([{ delete: { element: { ...IN, name: 'clients', elem: ['192.0.2.1'] } } }]));
    }
  }
}

function sendDatagram(address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.send('x', port, address, (error) => {
      socket.close();
      if (error) {
        reject(error);
      } else {
        resolve();
      }
    });
  });
}
