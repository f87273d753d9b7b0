// cspell:ignore statsu
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readlink, symlink, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

import { ended, run, start } from './fake-process.js';
import { serveStatus } from './serve-status.js';
import { NOT_READY, READY } from './status-document.js';
import { TemporaryDirectory } from './temporary-directory.js';

// Compiled files lie in dist/test/protocol/sidecar-control.
const LAUNCHER = fileURLToPath(new URL('../../../../bin/gwmark', import.meta.url));
const MANAGEMENT = ['--management', 'unix:/run/openvpn/management.sock'];

describe('gwmark down', () => {
  it('lists what was removed', async () => {
    await using directory = await TemporaryDirectory.open();
    const socket = ['--control-socket', directory.file('s')];

    const listed = await run(['down', '--table', 'mine', ...socket]);
    const json = await run(['down', '--json', ...socket]);
    const nothing = await run(['down', ...socket], { daemon: 'nothing' });

    assert.deepEqual(
      [listed.code, listed.stdout, listed.stderr],
      [0, 'removed table inet mine\nremoved ip rule 10000\n', ''],
    );
    assert.deepEqual(JSON.parse(json.stdout), { removed: ['table inet gwmark', 'ip rule 10000'] });
    assert.equal(nothing.stdout, 'nothing to remove\n');
  });

  it('exits 1 with one message when the kernel refuses', async () => {
    await using directory = await TemporaryDirectory.open();

    const { code, stderr } = await run(['down', '--control-socket', directory.file('s')], { daemon: 'refuse' });

    assert.deepEqual([code, stderr], [1, 'gwmark: cannot delete table inet gwmark\n']);
  });

  it('refuses while a sidecar of this network namespace runs, which would restore everything', async () => {
    await using directory = await TemporaryDirectory.open();
    const networkNamespace = await readlink('/proc/self/ns/net');
    await using server = await serveStatus(directory.file('s'), () => ({ ...READY, networkNamespace }));

    const { code, stdout, stderr } = await run(['down', '--control-socket', server.path]);

    assert.deepEqual([code, stdout], [1, '']);
    assert.equal(
      stderr,
      `gwmark: a sidecar is running on ${server.path} and would restore everything: stop it first\n`,
    );
  });

  it('leaves a sidecar of another network namespace alone, and says so', async () => {
    await using directory = await TemporaryDirectory.open();
    await using server = await serveStatus(directory.file('s'), () => ({ ...READY, networkNamespace: 'net:[1]' }));

    const { code, stdout, stderr } = await run(['down', '--control-socket', server.path]);

    assert.equal(code, 0, stderr);
    assert.match(stdout, /^removed /);
    assert.match(
      stderr,
      /^gwmark: the sidecar at \S+ runs in the network namespace net:\[1\], this command in net:\[\d+\]: it is left alone\n$/,
    );
  });
});

describe('gwmark status, clients and gateways', () => {
  it('show what the sidecar says, for eyes and as JSON', async () => {
    await using directory = await TemporaryDirectory.open();
    await using server = await serveStatus(directory.file('s'));
    const env = { GWMARK_CONTROL_SOCKET: server.path };

    const status = await run(['status', '--json'], { env });
    const clients = await run(['clients', '--json'], { env });
    const gateways = await run(['gateways', '--json', '--control-socket', server.path]);
    const eyes = await run(['clients'], { env });

    assert.deepEqual([status.code, JSON.parse(status.stdout)], [0, READY]);
    assert.deepEqual([clients.code, JSON.parse(clients.stdout)], [0, READY.clients]);
    assert.deepEqual([gateways.code, JSON.parse(gateways.stdout)], [0, READY.gateways]);
    assert.match(
      eyes.stdout,
      /^NAME .*\nalice +10\.8\.0\.2 +192\.0\.2\.7:4711 +\d+d( \d+h)? +18446744073709551615 +1\n$/,
    );
  });

  it('exit 1 for a sidecar that is not ready, and say why; lists exit 0', async () => {
    await using directory = await TemporaryDirectory.open();
    await using server = await serveStatus(directory.file('s'), () => NOT_READY);
    const env = { GWMARK_CONTROL_SOCKET: server.path };

    const status = await run(['status'], { env });
    const clients = await run(['clients'], { env });

    assert.equal(status.code, 1);
    assert.match(status.stdout, /: not ready\n(.*\n)+problems:\n {2}! no nft\n {2}! no uplink\n$/);
    assert.equal(clients.code, 0);
  });

  it('ask whether the sidecar runs, and exit 1', async () => {
    await using directory = await TemporaryDirectory.open();

    const { code, stdout, stderr } = await run(['status', '--json', '--control-socket', directory.file('s')]);

    assert.deepEqual([code, stdout], [1, '']);
    assert.equal(stderr, `gwmark: cannot reach the sidecar at ${directory.file('s')}: is "gwmark run" running?\n`);
  });

  it('end quietly when the reader of their output leaves', async () => {
    await using directory = await TemporaryDirectory.open();
    const clients = Array.from({ length: 20_000 }, (_, index) => ({ ...READY.clients[0], cid: String(index) }));
    const status = (): typeof READY => ({ ...READY, clients }) as typeof READY;
    await using server = await serveStatus(directory.file('s'), status);
    const child = start(['clients', '--control-socket', server.path]);

    child.stdout.once('data', () => child.stdout.destroy());
    const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close') as Promise<[number]>]);

    assert.deepEqual([code, stderr], [0, '']);
  });

  it('say that their output cannot be written, and exit 1', async () => {
    await using directory = await TemporaryDirectory.open();
    await using server = await serveStatus(directory.file('s'));
    const full = ['sh', '-c', 'exec "$@" > /dev/full', 'sh'];

    const { code, stderr } = await run(['status', '--control-socket', server.path], { prefix: full });

    assert.equal(code, 1);
    assert.match(stderr, /^gwmark: cannot write to standard output: ENOSPC/);
  });
});

describe('gwmark check', () => {
  it('lists the settings that are not at their default, with their source', async () => {
    await using directory = await TemporaryDirectory.open();
    await writeFile(directory.file('g.yaml'), 'management: unix:/run/a\nmark: {mask: 0xff}\n');

    const { code, stdout } = await run(['check', '-c', directory.file('g.yaml'), '--hold=leave'], {
      env: { GWMARK_DEVICES: 'lan0,lan1' },
    });

    assert.equal(code, 0);
    assert.equal(
      stdout.replaceAll(directory.path, 'DIR'),
      [
        'the configuration is valid; all other settings have their defaults',
        '',
        'SETTING               VALUE          SOURCE',
        'management.endpoints  [unix:/run/a]  DIR/g.yaml:1',
        'hold                  leave          --hold',
        'devices               [lan0, lan1]   GWMARK_DEVICES',
        'mark.mask             0x000000ff     DIR/g.yaml:2',
        '',
      ].join('\n'),
    );
  });

  it('prints all faults as JSON and exits 2', async () => {
    const { code, stdout, stderr } = await run(['check', '--json', '--gateways-max', '0', ...MANAGEMENT], {
      env: { GWMARK_TABEL: 'x' },
    });

    assert.deepEqual([code, stderr], [2, '']);
    assert.deepEqual(JSON.parse(stdout), {
      ok: false,
      problems: [
        {
          path: 'GWMARK_TABEL',
          source: 'environment',
          value: null,
          expected: 'a known variable; did you mean "GWMARK_TABLE"?',
        },
        { path: 'gateways.max', source: '--gateways-max', value: '0', expected: 'an integer in 1..254' },
      ],
      settings: null,
    });
  });

  it('prints the settings as JSON and never the password', async () => {
    await using directory = await TemporaryDirectory.open();
    await writeFile(directory.file('password'), 'hunter2\n');

    const { code, stdout } = await run([
      'check',
      '--json',
      '--management-password-file',
      directory.file('password'),
      ...MANAGEMENT,
    ]);

    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /hunter2/);
    const { ok, problems, settings } = JSON.parse(stdout) as {
      ok: boolean;
      problems: unknown;
      settings: { table: string; mark: unknown };
    };
    assert.deepEqual([ok, problems, settings.table, settings.mark], [true, [], 'gwmark', { mask: '0xff000000' }]);
  });
});

describe('bin/gwmark', () => {
  it('works in a directory that is there no more', async () => {
    const child = spawn(
      'sh',
      ['-ec', 'cd "$(mktemp -d)"; rmdir "$PWD"; exec "$@"', 'sh', process.execPath, LAUNCHER, '--version'],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const { code, stdout, stderr } = await ended(child);

    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^\d+\.\d+/);
  });

  it('starts the compiled program, through a link too', async () => {
    await using directory = await TemporaryDirectory.open();
    await symlink(LAUNCHER, directory.file('gwmark'));

    const { code, stdout, stderr } = await ended(
      spawn(directory.file('gwmark'), ['--version'], { stdio: ['ignore', 'pipe', 'pipe'] }),
    );

    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  });

  it('says how to build it where it is not compiled', async () => {
    await using directory = await TemporaryDirectory.open();
    await mkdir(directory.file('bin'));
    await copyFile(LAUNCHER, directory.file('bin/gwmark'));
    await writeFile(directory.file('package.json'), '{"type":"module"}');

    const { code, stdout, stderr } = await ended(
      spawn(directory.file('bin/gwmark'), ['run'], { stdio: ['ignore', 'pipe', 'pipe'] }),
    );

    assert.deepEqual([code, stdout, stderr], [1, '', 'gwmark: dist/sidecar/main.js is missing: run npm run build\n']);
  });
});

describe('the command line', () => {
  for (const [args, message] of [
    [['statsu'], "unknown command 'statsu'\n(Did you mean status?)"],
    [['status', '--jsn'], "unknown option '--jsn'\n(Did you mean --json?)"],
    [['run', 'now'], "too many arguments for 'run'. Expected 0 arguments but got 1."],
    [['run', '--all'], '--all goes with --help'],
    [['run', '--table'], "option '--table <identifier>' argument missing"],
    [
      ['run', '--json', '--log-format', 'json'],
      "option '--json' cannot be used with option '--log-format <auto|json|pretty>'",
    ],
  ] as const) {
    it(`refuses "gwmark ${args.join(' ')}" with one message and exit code 2`, async () => {
      const { code, stdout, stderr } = await run(args);

      assert.deepEqual([code, stdout], [2, '']);
      assert.equal(stderr, `gwmark: ${message}\nsee "gwmark --help"\n`);
    });
  }

  it('prints help and version to standard output and exits 0', async () => {
    const help = await run(['help']);
    const runHelp = await run(['run', '--help']);
    const version = await run(['--version']);

    assert.deepEqual([help.code, help.stderr], [0, '']);
    for (const command of ['run', 'status', 'clients', 'gateways', 'check', 'down'])
      assert.match(help.stdout, new RegExp(`^  ${command} `, 'm'));
    assert.equal(runHelp.code, 0);
    for (const part of ['Examples:', 'Environment:', 'Exit codes:', '--log-level <error|warn|info|debug>'])
      assert.ok(runHelp.stdout.includes(part), part);
    assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  });

  it('prints its help to standard error and exits 2 without a command', async () => {
    const { code, stdout, stderr } = await run([]);

    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /^Usage: gwmark /);
  });

  it('shows nothing that a file name or a value could do to a terminal', async () => {
    const { code, stderr } = await run([
      'check',
      '--config',
      '/none\u001b[2J',
      '--table',
      '\u001b[31m',
      ...MANAGEMENT,
    ]);

    assert.equal(code, 2);
    assert.ok(!stderr.includes('\u001b'), JSON.stringify(stderr));
  });
});
