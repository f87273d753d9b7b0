import assert from 'node:assert/strict';

import { optionOf, parseCommandLine, parseConfig, readOptions } from '../../../sidecar/discovery/openvpn-options.js';

describe('parseConfig', () => {
  it('reads one option a line, with quoting as in openvpn(8), and passes comments over', () => {
    const options = parseConfig(
      '# dev tap\n; dev tap\n  dev tun # not tap\r\nsetenv "a b" \'c # d\'\npush "route 10.0.0.0"\nsetenv x a\\ b\n--verb 3\n',
    );

    assert.deepEqual(
      options.map(({ name, values }) => [name, ...values]),
      [
        ['dev', 'tun'],
        ['setenv', 'a b', 'c # d'],
        ['push', 'route 10.0.0.0'],
        ['setenv', 'x', 'a b'],
        ['verb', '3'],
      ],
    );
  });

  it('passes inline files over, whatever is in them', () => {
    const options = parseConfig(
      '<ca>\nclient-to-client\n</ca>\n<connection>\nremote a\n</connection>\nduplicate-cn\n',
    );

    assert.deepEqual(
      options.map(({ name }) => name),
      ['remote', 'duplicate-cn'],
    );
  });
});

describe('readOptions', () => {
  const files: Readonly<Record<string, string>> = {
    'a.conf': 'dev tun\nconfig b.conf\nverb 1',
    'b.conf': 'dev tap\nclient-to-client',
    loop: 'config loop',
  };
  const read = async (file: string): Promise<string | null> => files[file] ?? null;

  it('takes files at their place, so that a later option counts', async () => {
    const options = await readOptions(['openvpn', '--config', 'a.conf', '--verb', '4'], read);

    assert.deepEqual(options.unread, []);
    assert.equal(optionOf(options, 'dev')?.values[0], 'tap');
    assert.equal(optionOf(options, 'verb')?.values[0], '4');
    assert.equal(optionOf(options, 'duplicate-cn'), undefined);
  });

  it('takes a lone argument for a configuration file', async () => {
    assert.equal(
      optionOf(await readOptions(['openvpn', 'b.conf'], read), 'client-to-client')?.name,
      'client-to-client',
    );
  });

  it('says which files cannot be read, and ends where files name each other', async () => {
    assert.deepEqual((await readOptions(['openvpn', '--config', 'missing'], read)).unread, ['missing']);
    assert.deepEqual((await readOptions(['openvpn', '--config', 'loop'], read)).unread, ['loop']);
  });

  it('reads words after a name as its values', () => {
    assert.deepEqual(parseCommandLine(['--management', '/run/m.sock', 'unix', '--mlock']), [
      { name: 'management', values: ['/run/m.sock', 'unix'] },
      { name: 'mlock', values: [] },
    ]);
  });
});
