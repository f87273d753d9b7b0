import assert from 'node:assert/strict';

import { formatProblems } from '../../../sidecar/config/problem.js';
import { resolveSettings } from '../../../sidecar/config/resolve.js';
import { envValues, flagValues, type RawValues } from '../../../sidecar/config/sources.js';
import type { SettingPath } from '../../../sidecar/config/table.js';
import { yamlValues } from '../../../sidecar/config/yaml-source.js';

const FILE = '/etc/gwmark/gwmark.yaml';

function flags(...given: readonly (readonly [SettingPath, string | readonly string[]])[]): RawValues {
  return flagValues(new Map(given));
}

function resolveAll(...sources: readonly RawValues[]): ReturnType<typeof resolveSettings> {
  const resolved = resolveSettings(
    sources.flatMap(({ values }) => values),
    '/work-dir',
  );
  return { ...resolved, problems: [...sources.flatMap(({ problems }) => problems), ...resolved.problems] };
}

function endpointsOf(source: RawValues): unknown {
  return resolveAll(source).flat['management.endpoints'];
}

function problemsOf(...sources: readonly RawValues[]): readonly string[] {
  return resolveAll(...sources).problems.map(
    ({ path, source, value, expected }) => `${path}|${source}|${value}|${expected}`,
  );
}

describe('sources of the configuration', () => {
  it('lets flags win over the environment, that over the file, that over the default', () => {
    const file = yamlValues('table: from_file\nhold: leave\nlog: {level: debug}\n', FILE);
    const env = envValues({ GWMARK_TABLE: 'from_env', GWMARK_HOLD: 'release', HOME: '/root' });

    const { flat, origins, problems } = resolveAll(file, env, flags(['table', 'from_flag']));

    assert.deepEqual(problems, []);
    assert.equal(flat.table, 'from_flag');
    assert.equal(flat.hold, 'release');
    assert.equal(flat['log.level'], 'debug');
    assert.equal(flat.conntrack, 'flush');
    assert.deepEqual(origins.get('table'), { kind: 'flag', flag: '--table' });
    assert.deepEqual(origins.get('hold'), { kind: 'env', name: 'GWMARK_HOLD' });
    assert.deepEqual(origins.get('log.level'), { kind: 'file', file: FILE, line: 3 });
    assert.deepEqual(origins.get('conntrack'), { kind: 'default' });
  });

  it('lets a list of a higher source replace the whole list of a lower one', () => {
    const { flat } = resolveAll(yamlValues('devices: [lan0, lan1]', FILE), envValues({ GWMARK_DEVICES: 'wan0' }));

    assert.deepEqual(flat.devices, ['wan0']);
  });

  it('reads each list from commas, from repeated flags, from a YAML list and from a single YAML string', () => {
    const expected = [
      { kind: 'unix', path: '/run/a' },
      { kind: 'tcp', host: '::1', port: 7505 },
    ];

    assert.deepEqual(endpointsOf(envValues({ GWMARK_MANAGEMENT: 'unix:/run/a, tcp:[::1]:7505,' })), expected);
    assert.deepEqual(endpointsOf(flags(['management.endpoints', ['unix:/run/a', 'tcp:[::1]:7505']])), expected);
    assert.deepEqual(endpointsOf(yamlValues('management: [unix:/run/a, "tcp:[::1]:7505"]', FILE)), expected);
    assert.deepEqual(
      endpointsOf(yamlValues('management: {endpoints: [unix:/run/a, "tcp:[::1]:7505"]}', FILE)),
      expected,
    );
    assert.deepEqual(endpointsOf(yamlValues('management: unix:/run/a', FILE)), expected.slice(0, 1));
    assert.deepEqual(endpointsOf(yamlValues('management:\n  endpoints: unix:/run/a', FILE)), expected.slice(0, 1));
  });

  it('takes an endpoint with a password file of its own from a file, its path from there', () => {
    const expected = [{ kind: 'unix', path: '/run/a', passwordFile: '/etc/gwmark/a.password' }];

    assert.deepEqual(
      endpointsOf(yamlValues('management: [{address: unix:/run/a, passwordFile: a.password}]', FILE)),
      expected,
    );
    assert.deepEqual(
      endpointsOf(yamlValues('management: {endpoints: {address: unix:/run/a, passwordFile: a.password}}', FILE)),
      expected,
    );
    for (const wrong of [
      '{address: /run/a}',
      '{passwordFile: /x}',
      '{address: unix:/run/a, password: x}',
      '{address: unix:/run/a, passwordFile: ""}',
    ]) {
      assert.match(
        problemsOf(yamlValues(`management: [${wrong}]`, FILE))[0] ?? 'no problem',
        /^management\.endpoints\[0\]\|.*or in YAML a mapping/,
      );
    }
  });

  it('takes the mode and the owner of a socket at which OpenVPN connects, and of no other', () => {
    const address = 'listen:unix:/run/a';
    const place = { kind: 'unix', path: '/run/a', listen: true };

    assert.deepEqual(endpointsOf(yamlValues(`management: [${address}]`, FILE)), [place]);
    assert.deepEqual(
      endpointsOf(yamlValues(`management: [{address: ${address}, mode: "0660", owner: "openvpn:123"}]`, FILE)),
      [{ ...place, mode: 0o660, owner: 'openvpn:123' }],
    );
    for (const wrong of [
      `{address: ${address}, mode: 0660}`,
      `{address: ${address}, mode: "0888"}`,
      `{address: ${address}, owner: ""}`,
      `{address: ${address}, owner: "-R x"}`,
      '{address: unix:/run/a, mode: "0660"}',
      '{address: "listen:tcp:127.0.0.1:7505", owner: openvpn}',
    ]) {
      assert.match(
        problemsOf(yamlValues(`management: [${wrong}]`, FILE))[0] ?? 'no problem',
        /^management\.endpoints\[0\]\|.*"owner"/,
        wrong,
      );
    }
    assert.notDeepEqual(problemsOf(yamlValues(`management: [${address}, unix:/run/a]`, FILE)), [], 'one place twice');
  });

  it('takes an empty variable for one that is not set', () => {
    assert.deepEqual(envValues({ GWMARK_TABLE: '', GWMARK_DEVICES: undefined }), { values: [], problems: [] });
  });

  it('leaves the variables alone that Kubernetes and docker set beside a service called gwmark', () => {
    const links = {
      GWMARK_SERVICE_HOST: '10.0.0.1',
      GWMARK_SERVICE_PORT_HTTP: '80',
      GWMARK_PORT: 'tcp://10.0.0.1:80',
      GWMARK_PORT_80_TCP_ADDR: '10.0.0.1',
      GWMARK_METRICS_SERVICE_PORT: '80',
    };

    assert.deepEqual(envValues(links), { values: [], problems: [] });
  });

  it('names an unknown variable and what was probably meant', () => {
    assert.deepEqual(problemsOf(envValues({ GWMARK_TABEL: 'x' })), [
      'GWMARK_TABEL|environment|null|a known variable; did you mean "GWMARK_TABLE"?',
    ]);
  });

  it('names unknown keys with their line and what was probably meant', () => {
    const text = [
      'authorise: none',
      'mask: 1',
      'management:',
      '  password: x',
      'frobnicate: 1',
      'constructor: {a: 1}',
    ].join('\n');

    assert.deepEqual(problemsOf(yamlValues(text, FILE)), [
      `authorise|${FILE}:1|null|a known key; did you mean "authorize"?`,
      `mask|${FILE}:2|null|a known key; did you mean "mark.mask"?`,
      `management.password|${FILE}:4|null|a known key; did you mean "management.passwordFile"?`,
      `frobnicate|${FILE}:5|null|a known key`,
      `constructor|${FILE}:6|null|a known key`,
    ]);
  });

  it('gives every fault of every source at once, those too that a better value overrides', () => {
    const file = yamlValues('table: 7\nlog:\n  level: loud\n', FILE);
    const env = envValues({ GWMARK_LOG_LEVEL: 'quiet' });

    const { problems } = resolveAll(file, env, flags(['log.level', 'info'], ['gateways.max', '0']));

    assert.equal(
      formatProblems(problems),
      [
        'invalid configuration: 4 errors',
        `  table (${FILE}:1): 7; expected a name of 1..64 letters, digits, "_" and ".", starting with a letter`,
        `  log.level (${FILE}:3): loud; expected "error", "warn", "info" or "debug"`,
        '  log.level (GWMARK_LOG_LEVEL): quiet; expected "error", "warn", "info" or "debug"',
        '  gateways.max (--gateways-max): 0; expected an integer in 1..254',
      ].join('\n'),
    );
  });

  it('names the invalid element of a list', () => {
    assert.deepEqual(
      problemsOf(yamlValues('devices: [lan0, "a b", lan0, 5]', FILE)).map((text) =>
        text.split('|').slice(0, 3).join('|'),
      ),
      [`devices[1]|${FILE}:1|"a b"`, `devices[3]|${FILE}:1|5`],
    );
    assert.deepEqual(problemsOf(yamlValues('management: [unix:/a, unix:/a]', FILE)), [
      `management.endpoints[1]|${FILE}:1|unix:/a|each entry once`,
    ]);
  });

  it('says which value a group takes, and that a key without a value is none', () => {
    assert.deepEqual(problemsOf(yamlValues('mark: 5\nlog: [a]\ntable:\n', FILE)), [
      `mark|${FILE}:1|5|a mapping with mark.mask`,
      `log|${FILE}:2|[a]|a mapping with log.level, log.format`,
      `table|${FILE}:3|null|a value; leave the key out to get the default`,
    ]);
  });

  it('accepts an empty file, a file of comments, and a group whose members are commented out', () => {
    for (const text of ['', '# nothing\n', '---\n', 'management:\n  # endpoints: []\nlog:\n']) {
      assert.deepEqual(yamlValues(text, FILE), { values: [], problems: [] }, JSON.stringify(text));
    }
  });

  it('gives the line of a fault in the YAML itself', () => {
    const lineOf = (text: string): string | undefined => yamlValues(text, FILE).problems[0]?.source;

    assert.equal(lineOf('table: x\nlog: [1\n'), `${FILE}:3`);
    assert.equal(lineOf('table: x\ntable: y\n'), `${FILE}:2`);
    assert.equal(lineOf('log:\n\tlevel: info\n'), `${FILE}:2`);
    assert.equal(lineOf('table: !!secret x\n'), `${FILE}:1`);
    assert.equal(lineOf('table: x\n---\ntable: y\n'), `${FILE}:2`);
    assert.equal(lineOf('- table\n'), `${FILE}:1`);
  });

  it('follows aliases, and refuses a tree of aliases that would grow without bound', () => {
    const { flat } = resolveAll(
      yamlValues('devices: &d [lan0]\nmanagement:\n  passwordFile: &p /x\ncontrolSocket: *p\n', FILE),
    );
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      'b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]',
      'devices: [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]',
    ];

    assert.equal(flat.controlSocket, '/x');
    assert.ok(problemsOf(yamlValues(bomb.join('\n'), FILE)).length > 0);
  });

  it('takes a relative path from the directory of the file, else from the working directory', () => {
    assert.equal(
      resolveAll(yamlValues('controlSocket: run/g.sock', FILE)).flat.controlSocket,
      '/etc/gwmark/run/g.sock',
    );
    assert.equal(resolveAll(flags(['controlSocket', 'g.sock'])).flat.controlSocket, '/work-dir/g.sock');
    assert.equal(resolveAll(envValues({ GWMARK_CONTROL_SOCKET: '/g.sock' })).flat.controlSocket, '/g.sock');
  });

  it('shows a value on one line, cut, with nothing that moves the cursor', () => {
    const [problem] = resolveAll(flags(['table', `\u001b[2J\n${'x'.repeat(500)}`])).problems;

    assert.match(problem?.value ?? '', /^"\\u001b\[2J\\nx{60,}\.\.\.$/);
    assert.ok((problem?.value ?? '').length < 90);
  });
});
