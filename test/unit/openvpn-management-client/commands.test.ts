import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import {
  capabilitiesOf,
  commands,
  isManagementError,
  parseCid,
  parseKid,
  parseVersion,
  serializeCommand,
  type Capabilities,
  type Command,
} from 'openvpn-management-client';
import { lexLine } from 'openvpn-management-client/testing';

const cid = parseCid('7');
const kid = parseKid('1');
const bytesOf = (command: Command<unknown>): string => serializeCommand(command).toString('latin1');
const refused = (error: unknown): boolean => isManagementError(error, 'MGMT_ARGUMENT');

/** The parameters that the daemon gets out of a command's first line. */
function parametersOf(command: Command<unknown>): readonly string[] {
  const lexed = lexLine(bytesOf(command).split('\n')[0] ?? '');
  assert.ok(lexed.ok, lexed.ok ? '' : lexed.error);
  return lexed.parameters.map((parameter) => Buffer.from(parameter, 'latin1').toString('utf8'));
}

/** The features of a daemon of this version. */
function daemon(title: string, managementVersion: number): Capabilities {
  return capabilitiesOf(parseVersion([`OpenVPN Version: ${title}`, `Management Version: ${managementVersion}`]));
}

describe('Commands', () => {
  it('are one line each, with LF', () => {
    assert.equal(bytesOf(commands.status()), 'status 3\n');
    assert.equal(bytesOf(commands.setStateWithHistory()), 'state on all\n');
    assert.equal(bytesOf(commands.clientAuthNt(cid, kid)), 'client-auth-nt 7 1\n');
    assert.equal(bytesOf(commands.clientKill(cid, 'HALT,maintenance')), 'client-kill 7 "HALT,maintenance"\n');
    assert.equal(bytesOf(commands.bytecount(5)), 'bytecount 5\n');
  });

  it('quote any text so that the daemon reads it back', () => {
    for (const reason of [
      'no "such" user',
      String.raw`back\slash`,
      "it's",
      ' ',
      '',
      '; no comment',
      '# nor this',
      'é\u2028\u{1f511}',
      String.raw`\"`,
      '"',
    ]) {
      assert.deepEqual(parametersOf(commands.clientDeny(cid, kid, reason, reason)), [
        'client-deny',
        '7',
        '1',
        reason,
        reason,
      ]);
    }
  });

  it('quote random text so that the daemon reads it back', () => {
    const text = fc.string({ unit: fc.constantFrom('"', '\\', "'", ' ', ';', '#', 'a', 'é', ','), maxLength: 60 });
    fc.assert(
      fc.property(text, (reason) =>
        assert.deepEqual(parametersOf(commands.clientDeny(cid, kid, reason)), ['client-deny', '7', '1', reason]),
      ),
    );
  });

  it('refuse control characters, which the daemon would delete or run as a line of their own', () => {
    for (const bad of ['\t', '\r', '\n', '\0', '\u007f', '\u001b'])
      assert.throws(() => commands.clientDeny(cid, kid, `a${bad}b`), refused, JSON.stringify(bad));
  });

  it('take 256 bytes an argument and not one more, counted in bytes', () => {
    assert.equal(parametersOf(commands.clientDeny(cid, kid, 'x'.repeat(256)))[3]?.length, 256);
    assert.throws(() => commands.clientDeny(cid, kid, 'x'.repeat(257)), refused);
    commands.clientDeny(cid, kid, '\u{1f511}'.repeat(64));
    assert.throws(() => commands.clientDeny(cid, kid, '\u2028'.repeat(86)), /has 258 bytes, more than the 256/);
  });

  it('take 1023 bytes a line and not one more', () => {
    assert.equal(bytesOf(commands.raw('x'.repeat(1023), 'single')).length, 1024);
    assert.throws(() => serializeCommand(commands.raw('x'.repeat(1024), 'single')), refused);
    assert.throws(() => serializeCommand(commands.clientDeny(cid, kid, '"'.repeat(256), '"'.repeat(256))), refused);
  });

  it('refuse CIDs and KIDs that are no numbers', () => {
    for (const text of ['', '-1', '1 2', '1\nsignal SIGTERM', '18446744073709551616', '0x1']) {
      assert.throws(() => parseCid(text), refused);
      assert.throws(() => parseKid(text), refused);
    }
    assert.equal(parseCid('18446744073709551615'), '18446744073709551615');
  });

  it('send a body with its END, and refuse lines in it that are END or a command', () => {
    assert.equal(
      bytesOf(commands.clientAuth(cid, kid, ['ifconfig-push 10.8.0.5 255.255.255.0', 'push "route 10.0.0.0"'])),
      'client-auth 7 1\nifconfig-push 10.8.0.5 255.255.255.0\npush "route 10.0.0.0"\nEND\n',
    );
    assert.equal(bytesOf(commands.clientAuth(cid, kid, [])), 'client-auth 7 1\nEND\n');
    for (const line of [
      'END',
      ' END ',
      'signal SIGTERM',
      '"signal" SIGTERM',
      ' kill x',
      'verb 9',
      'push x\nEND',
      `push ${'x'.repeat(252)}`,
    ]) {
      assert.throws(() => serializeCommand(commands.clientAuth(cid, kid, [line])), refused, line);
    }
  });

  it('refuse to kill a name with a colon, or one longer than the daemon compares', () => {
    assert.throws(() => commands.kill('a:b'), refused);
    assert.throws(() => commands.kill(''), refused);
    assert.throws(() => commands.kill('x'.repeat(128)), refused);
    assert.equal(bytesOf(commands.kill('Zoë')), 'kill "Zo\u00c3\u00ab"\n');
  });

  it('follow the version of the daemon', () => {
    const v25 = daemon('OpenVPN 2.5.11 x86_64', 3);
    const v26 = daemon('OpenVPN 2.6.14 x86_64', 5);
    const v27 = daemon('OpenVPN 2.7.6 x86_64', 6);

    assert.equal(bytesOf(commands.killAddress(v26, '192.0.2.1', 5, 'udp')), 'kill 192.0.2.1:5\n');
    assert.equal(bytesOf(commands.killAddress(v27, '192.0.2.1', 5, 'udp')), 'kill udp:192.0.2.1:5\n');
    assert.throws(() => commands.killAddress(v27, '2001:db8::1', 5, 'udp'), refused);
    assert.equal(bytesOf(commands.clientPendingAuth(v25, cid, kid, 'x', 60)), 'client-pending-auth 7 "x"\n');
    assert.equal(
      bytesOf(commands.clientPendingAuth(daemon('OpenVPN 2.6.1 x', 4), cid, kid, 'x', 60)),
      'client-pending-auth 7 "x" 60\n',
    );
    assert.equal(bytesOf(commands.clientPendingAuth(v26, cid, kid, 'x', 60)), 'client-pending-auth 7 1 "x" 60\n');
    assert.throws(
      () => commands.pushUpdate(v26, 'all', ['route 10.0.0.0']),
      (error) => isManagementError(error, 'MGMT_UNSUPPORTED'),
    );
    assert.equal(
      bytesOf(commands.pushUpdate(v27, cid, ['route 10.0.0.0', '-dns'])),
      'push-update-cid 7 "route 10.0.0.0,-dns"\n',
    );
    assert.equal(daemon('OpenVPN 2.8_git [git:master/3de92608]', 6).hasPushUpdate, true);
  });
});
