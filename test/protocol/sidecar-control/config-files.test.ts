import assert from 'node:assert/strict';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';

import { type ConfigInput, type ConfigResult, loadConfig, loadControlSocket } from '../../../sidecar/config/load.js';
import { passwordNow } from '../../../sidecar/config/password.js';
import type { SettingPath } from '../../../sidecar/config/table.js';
import { TemporaryDirectory } from './temporary-directory.js';

function inputIn(directory: TemporaryDirectory, given: Partial<ConfigInput> = {}): ConfigInput {
  return {
    flags: new Map<SettingPath, string>([['management.endpoints', 'unix:/run/openvpn/management.sock']]),
    env: {},
    workingDirectory: directory.path,
    defaultConfigFile: directory.file('default.yaml'),
    ...given,
  };
}

function faultsOf(result: ConfigResult): readonly string[] {
  return result.ok ? [] : result.problems.map(({ path, source, expected }) => `${path}|${source}|${expected}`);
}

describe('files of the configuration', () => {
  it('are not needed', async () => {
    await using directory = await TemporaryDirectory.open();

    const result = await loadConfig(inputIn(directory), { endpoints: true });

    assert.ok(result.ok);
    assert.equal(result.configFile, null);
    assert.equal(result.settings.management.passwords.size, 0);
  });

  it('are found by --config, then by GWMARK_CONFIG, then at the default place', async () => {
    await using directory = await TemporaryDirectory.open();
    for (const name of ['flag', 'env', 'default'])
      await writeFile(directory.file(`${name}.yaml`), `table: from_${name}`);
    const tableOf = async (given: Partial<ConfigInput>): Promise<string | undefined> => {
      const result = await loadConfig(inputIn(directory, given), { endpoints: true });
      return result.ok ? result.settings.table : undefined;
    };

    assert.equal(await tableOf({ configFile: 'flag.yaml', env: { GWMARK_CONFIG: 'env.yaml' } }), 'from_flag');
    assert.equal(await tableOf({ env: { GWMARK_CONFIG: directory.file('env.yaml') } }), 'from_env');
    assert.equal(await tableOf({ env: { GWMARK_CONFIG: '' } }), 'from_default');
  });

  it('are a fault when named and not readable, with the reason', async () => {
    await using directory = await TemporaryDirectory.open();
    await writeFile(directory.file('latin1.yaml'), Buffer.from([0x74, 0x3a, 0x20, 0xe4]));
    await writeFile(directory.file('huge.yaml'), '#'.repeat(1024 * 1024 + 1));
    const reasonOf = async (configFile: string): Promise<string | undefined> =>
      faultsOf(await loadConfig(inputIn(directory, { configFile }), { endpoints: true }))[0];

    assert.equal(
      await reasonOf('none.yaml'),
      `|${directory.file('none.yaml')}|a readable YAML file; it does not exist`,
    );
    assert.match((await reasonOf('.')) ?? '', /it is a directory$/);
    assert.match((await reasonOf('latin1.yaml')) ?? '', /it is not UTF-8 text$/);
    assert.match((await reasonOf('huge.yaml')) ?? '', /it is larger than 1048576 bytes$/);
    assert.match((await reasonOf('/dev/zero')) ?? '', /it is larger than/);
  });

  it('are not blamed for a missing endpoint that they may well name', async () => {
    await using directory = await TemporaryDirectory.open();
    await writeFile(directory.file('default.yaml'), 'management: [unix:/run/a');

    const faults = faultsOf(await loadConfig(inputIn(directory, { flags: new Map() }), { endpoints: true }));

    assert.equal(faults.length, 1);
    assert.match(faults[0] ?? '', /^\|.*default\.yaml:1\|valid YAML; /);
  });

  it('need not name an endpoint for commands that do not connect', async () => {
    await using directory = await TemporaryDirectory.open();
    const input = inputIn(directory, { flags: new Map() });

    assert.ok((await loadConfig(input, { endpoints: false })).ok);
    assert.match(
      faultsOf(await loadConfig(input, { endpoints: true }))[0] ?? '',
      /^management\.endpoints\|default\|at least one endpoint, such as --management unix:/,
    );
  });

  it('give the password, without one trailing newline', async () => {
    await using directory = await TemporaryDirectory.open();
    await writeFile(directory.file('default.yaml'), 'management: {passwordFile: secret}');
    const passwordOf = async (content: string): Promise<string | undefined> => {
      await writeFile(directory.file('secret'), content);
      const result = await loadConfig(inputIn(directory), { endpoints: true });
      return result.ok
        ? result.settings.management.passwords.get(directory.file('secret'))?.reveal()
        : faultsOf(result)[0]?.split('; ')[1];
    };

    assert.equal(await passwordOf('hunter2\n'), 'hunter2');
    assert.equal(await passwordOf('hunter2\r\n'), 'hunter2');
    assert.equal(await passwordOf(' spaces stay '), ' spaces stay ');
    assert.equal(await passwordOf('\n'), 'it is empty');
    assert.equal(await passwordOf('a\nb\n'), 'it has more than one line');
  });

  it('give each endpoint its own password, or the common one', async () => {
    await using directory = await TemporaryDirectory.open();
    await writeFile(
      directory.file('default.yaml'),
      'management:\n  passwordFile: common\n  endpoints:\n    - {address: unix:/run/a, passwordFile: own}\n    - unix:/run/b\n',
    );
    await writeFile(directory.file('common'), 'c\n');
    await writeFile(directory.file('own'), 'o\n');
    const result = await loadConfig({ ...inputIn(directory), flags: new Map() }, { endpoints: true });
    assert.ok(result.ok);
    const { management } = result.settings;
    const now = async (): Promise<readonly (string | undefined)[]> =>
      Promise.all(management.endpoints.map(async (endpoint) => (await passwordNow(management, endpoint))?.reveal()));

    assert.deepEqual(await now(), ['o', 'c']);
    await writeFile(directory.file('own'), 'corrected\n');
    assert.deepEqual(await now(), ['corrected', 'c'], 'read at every attempt');
    await rm(directory.file('own'));
    assert.deepEqual(await now(), ['o', 'c'], 'where it is gone, as with a pipe, what it held at the start');
  });

  it('are a fault of the endpoint whose password file it names', async () => {
    await using directory = await TemporaryDirectory.open();
    await writeFile(
      directory.file('default.yaml'),
      'management:\n  - unix:/run/a\n  - {address: unix:/run/b, passwordFile: none}\n',
    );

    const faults = faultsOf(await loadConfig({ ...inputIn(directory), flags: new Map() }, { endpoints: true }));

    assert.deepEqual(
      faults.map((fault) => fault.replace(/\|[^|]*default\.yaml:\d+\|/, '|FILE|')),
      ['management.endpoints[1]|FILE|a file with the password on one line; it does not exist'],
    );
  });

  it('are a fault of the password setting when it names none', async () => {
    await using directory = await TemporaryDirectory.open();
    await symlink('loop', directory.file('loop'));
    const flags = new Map<SettingPath, string>([
      ['management.endpoints', 'unix:/run/a'],
      ['management.passwordFile', 'none'],
    ]);

    const faults = faultsOf(await loadConfig(inputIn(directory, { flags }), { endpoints: true }));

    assert.deepEqual(faults, [
      'management.passwordFile|--management-password-file|a file with the password on one line; it does not exist',
    ]);
    flags.set('management.passwordFile', 'loop');
    assert.match(faultsOf(await loadConfig(inputIn(directory, { flags }), { endpoints: true }))[0] ?? '', /ELOOP/);
  });

  it('tell commands that only look where the control socket is, whatever else is wrong in them', async () => {
    await using directory = await TemporaryDirectory.open();
    await writeFile(directory.file('default.yaml'), 'controlSocket: g.sock\nfrobnicate: 1\n');
    await mkdir(directory.file('not-a-file'));

    assert.deepEqual(await loadControlSocket(inputIn(directory)), { ok: true, path: directory.file('g.sock') });
    assert.deepEqual(
      await loadControlSocket(inputIn(directory, { defaultConfigFile: directory.file('not-a-file') })),
      {
        ok: true,
        path: '/run/gwmark/gwmark.sock',
      },
    );
    assert.equal((await loadControlSocket(inputIn(directory, { configFile: 'not-a-file' }))).ok, false);
    assert.equal(
      (await loadControlSocket(inputIn(directory, { env: { GWMARK_CONTROL_SOCKET: '/'.padEnd(200, 'x') } }))).ok,
      false,
    );
  });
});
