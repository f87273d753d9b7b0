import assert from 'node:assert/strict';
import { isAllowed, parseAllowedCommands, refusalOf } from '../../../sidecar/config/management-commands.js';
import {
  allowedAt,
  parsePassThroughPlace,
  plainPassThroughPlace,
} from '../../../sidecar/config/pass-through-socket.js';
import { resolveSettings } from '../../../sidecar/config/resolve.js';
import { MultiplexerRig, settled } from './rig.js';

describe('allow', () => {
  it('names what was probably meant', () => {
    assert.deepEqual(parseAllowedCommands(['statsu']), {
      expected: 'a command of OpenVPN instead of "statsu"; did you mean "status"?',
    });
    assert.match(refusalOf(['status', 'state'], 'stats'), /did you mean "status"\?/);
  });

  it('takes a command that only a later OpenVPN has', () => {
    assert.deepEqual(parseAllowedCommands(['status', 'frobnicate-all']), { allowed: ['status', 'frobnicate-all'] });
  });

  for (const wrong of [[], [''], ['status', 'status'], ['kill anne'], 7, null, { a: 1 }, ['KILL']]) {
    it(`is not ${JSON.stringify(wrong)}`, () => assert.ok('expected' in parseAllowedCommands(wrong)));
  }

  it('read: allows what changes nothing', () => {
    for (const [name, ...parameters] of [
      ['status', '3'],
      ['log', 'on', 'all'],
      ['verb'],
      ['hold'],
      ['version'],
      ['exit'],
    ])
      assert.ok(isAllowed('read', name ?? '', parameters), name);
    for (const [name, ...parameters] of [
      ['kill', 'x'],
      ['verb', '9'],
      ['hold', 'release'],
      ['signal', 'SIGHUP'],
      ['client-kill', '1'],
      ['version', '3'],
      ['frobnicate'],
    ])
      assert.ok(!isAllowed('read', name ?? '', parameters), name);
  });

  it('is everything at a unix socket of ours alone, elsewhere what reads, if nothing is said', () => {
    assert.equal(allowed('unix:/run/a.sock'), 'all');
    assert.equal(allowed({ address: 'unix:/run/a.sock', mode: '0660' }), 'read');
    assert.equal(allowed({ address: 'unix:/run/a.sock', owner: 'monitor' }), 'read');
    assert.equal(allowed('tcp:127.0.0.1:7506'), 'read');
    assert.equal(allowed({ address: 'tcp:127.0.0.1:7506', allow: 'all' }), 'all');
  });

  it("refuses by OpenVPN's words for a command, quoted or not", async () => {
    const rig = new MultiplexerRig();
    const program = rig.attach({ allowed: ['status', 'kill'] });

    program.send('"signal" SIGTERM\nkill "a\nsignal SIGHUP\n \'client-kill\' 1\n');
    await settled();

    assert.deepEqual(rig.sent, []);
    assert.equal(program.got.match(/ERROR: command "(signal|client-kill)" is not allowed/g)?.length, 3);
    assert.match(program.got, /ERROR: Options error: No closing quotation/);
  });
});

describe('passThrough', () => {
  const value = {
    address: 'unix:/run/gwmark/office.sock',
    management: 'unix:/run/openvpn/office.sock',
    passwordFile: '/etc/gwmark/pass',
    mode: '0660',
    owner: 'root:monitor',
    allow: ['status', 'state'],
    logins: false,
  };

  it('reads back what it writes', () => {
    for (const each of [
      value,
      'unix:/run/a@b.sock',
      'tcp:[::1]:7506@unix:/run/openvpn/a.sock',
      { address: 'tcp:127.0.0.1:1', allow: 'read' },
    ]) {
      const parsed = parsePassThroughPlace(each);
      assert.ok('place' in parsed, JSON.stringify(parsed));
      assert.deepEqual(plainPassThroughPlace(parsed.place), each);
    }
  });

  for (const wrong of [
    'run/a.sock',
    'unix:/run/a.sock@tcp:x',
    7,
    { ...value, mode: '9999' },
    { ...value, owner: '' },
    { ...value, logins: 'yes' },
    { ...value, more: 1 },
    { ...value, management: 7 },
    { address: 'tcp:127.0.0.1:1', mode: '0600' },
  ])
    it(`is not ${JSON.stringify(wrong)}`, () => assert.ok('expected' in parsePassThroughPlace(wrong)));

  it('names the address that another setting has', () => {
    const problems = problemsOf({
      passThrough: 'unix:/run/openvpn/a.sock',
      'management.endpoints': 'unix:/run/openvpn/a.sock',
    });

    assert.match(problems, /an address that is not in management\.endpoints/);
  });

  it('needs the OpenVPN that is meant if there are several', () => {
    const several = 'unix:/run/openvpn/a.sock,unix:/run/openvpn/b.sock';

    assert.match(
      problemsOf({ passThrough: 'unix:/run/p.sock', 'management.endpoints': several }),
      /followed by @ENDPOINT, one of unix:\/run\/openvpn\/a\.sock/,
    );
    assert.equal(
      problemsOf({ passThrough: 'unix:/run/p.sock@unix:/run/openvpn/b.sock', 'management.endpoints': several }),
      '',
    );
  });
});

function allowed(value: unknown): unknown {
  const parsed = parsePassThroughPlace(value);
  return 'place' in parsed ? allowedAt(parsed.place) : parsed;
}

function problemsOf(values: Readonly<Record<'passThrough' | 'management.endpoints', string>>): string {
  const raw = Object.entries(values).map(([path, text]) => ({
    path: path as keyof typeof values,
    raw: text,
    form: 'text' as const,
    source: { kind: 'flag' as const, flag: `--${path}` },
  }));
  return resolveSettings(raw, '/')
    .problems.map(({ expected }) => expected)
    .join('\n');
}
