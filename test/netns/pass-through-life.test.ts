/** What programs see of OpenVPN's life through the sockets of a sidecar, and what they saw alone. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { ManagementProgram } from '../lab/management-program.js';
import { assertFound, runDoctor } from '../lab/doctor.js';
import { OpenVpnClient, OpenVpnServer } from '../lab/openvpn.js';
import { Sidecar } from '../lab/sidecar.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

const BLOCK = String.raw`\r\n(?:>CLIENT:ENV,.*\r\n)*>CLIENT:ENV,END\r\n`;
const CONNECT = new RegExp(`>CLIENT:CONNECT,(\\d+),(\\d+)${BLOCK}`);
const ESTABLISHED = new RegExp(`>CLIENT:ESTABLISHED,\\d+${BLOCK}`);
const DISCONNECT = new RegExp(`>CLIENT:DISCONNECT,\\d+${BLOCK}`);

/** A client that is short of processor time ends before it has said so; OpenVPN then waits for twice its `keepalive`. */
const GONE_MS = 65_000;

/** Resolves when the first socket of the sidecar is open. */
async function opened(sidecar: Sidecar): Promise<void> {
  await sidecar.statusWhere(({ servers }) => servers[0]?.passThrough?.[0]?.isOpen === true, 'the socket is open');
}

describe('the environment of a client, filtered for each program', function () {
  this.timeout(patient(120_000));

  it('is what OpenVPN itself sends at that level', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4', management: { clientAuth: true } });
    const alone: string[] = [];
    for (const level of [1, 2, 3]) {
      await using program = await ManagementProgram.attach(lab.server.managementSocket);
      await program.ask(`env-filter ${level}`, /level=\d\r\n$/);
      alone.push(await visit(lab, [program]).then(([text = '']) => text));
    }
    const socket = path.join(lab.pki.directory, 'pass.sock');
    await opened(await lab.startSidecar('--pass-through', `unix:${socket}`));
    const programs: ManagementProgram[] = [];
    for (const level of [1, 2, 3]) {
      const program = await ManagementProgram.attach(socket);
      programs.push(program);
      await program.ask(`env-filter ${level}`, /level=\d\r\n$/);
    }

    const shared = await visit(lab, programs);

    assert.deepEqual(shared.map(normalized), alone.map(normalized));
    for (const program of programs) await program[Symbol.asyncDispose]();
  });
});

describe('a login that the program leaves behind which answers', function () {
  this.timeout(patient(60_000));

  it('is asked of the next program, which lets the client in', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4', management: { clientAuth: true } });
    const socket = path.join(lab.pki.directory, 'pass.sock');
    await opened(await lab.startSidecar('--pass-through', `unix:${socket}`));
    const first = await ManagementProgram.attach(socket);
    const client = await lab.launchClient('local');
    const [question] = await first.until(CONNECT);

    await first[Symbol.asyncDispose]();
    await using second = await ManagementProgram.attach(socket);
    const [again, cid, kid] = await second.until(CONNECT);
    second.send(`client-auth-nt ${cid} ${kid}\n`);
    await client.connected();

    assert.equal(again, question);
    const { clients } = await lab.sidecar.statusWhere((status) => status.clients.length === 1, 'the client is known');
    assert.equal(clients[0]?.commonName, 'local');
  });
});

describe('a restart of OpenVPN, and its end', function () {
  this.timeout(patient(120_000));

  it('look as they do alone', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    const alone = await restartAndEnd(lab, lab.server.managementSocket);
    await lab.server.start();
    const socket = path.join(lab.pki.directory, 'pass.sock');
    await opened(await lab.startSidecar('--pass-through', `unix:${socket}`));

    const shared = await restartAndEnd(lab, socket);

    assert.equal(normalized(shared), normalized(alone));
    await lab.server.start();
    await using program = await ManagementProgram.attach(socket);
    assert.match(await program.ask('state', /END\r\n$/), /CONNECTED,SUCCESS/);
  });
});

describe('an OpenVPN that holds', function () {
  this.timeout(patient(60_000));

  it('is released by a program, if the sidecar leaves it to that', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4', management: { hold: true } });
    let alone: string;
    {
      await using program = await ManagementProgram.attach(lab.server.managementSocket, />HOLD:.*\r\n/);
      await program.ask('signal SIGUSR1', />HOLD:.*\r\n$/);
      alone = program.text;
    }
    const socket = path.join(lab.pki.directory, 'pass.sock');
    const sidecar = lab.launchSidecar('--pass-through', `unix:${socket}`, '--hold', 'leave');
    await opened(sidecar);

    await using program = await ManagementProgram.attach(socket, />HOLD:.*\r\n/);
    await program.ask('signal SIGUSR1', />HOLD:.*\r\n$/);
    const shared = program.text;
    assert.match(await program.ask('hold release', /\r\n$/), /SUCCESS: hold release succeeded/);

    assert.equal(shared, alone);
    await sidecar.ready();
    await using later = await ManagementProgram.attach(socket);
    await later.ask('pid', /pid=/);
    assert.doesNotMatch(later.text, /HOLD/);
  });
});

describe('an OpenVPN that asks for the passphrase of its key', function () {
  this.timeout(patient(60_000));

  it('gets it from a program, as without the sidecar', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    await lab.server.stop();
    const identity = await lab.pki.protect(await lab.pki.issue('asking', 'server'), 'open sesame');
    await using server = await OpenVpnServer.start({
      ...lab.server.options,
      identity,
      port: 1195,
      management: { queriesPasswords: true },
    });
    const alone = await answer(server.managementSocket);
    await server.stop();
    await server.start();
    const socket = path.join(lab.pki.directory, 'pass.sock');
    await using sidecar = Sidecar.launch({
      namespace: lab.topology.endpoint,
      directory: lab.pki.directory,
      managementSocket: server.managementSocket,
      flags: ['--pass-through', `unix:${socket}`],
    });
    await opened(sidecar);

    const shared = await answer(socket);

    assert.equal(shared, alone);
    const { servers } = await sidecar.statusWhere((status) => status.servers[0]?.state === 'ready', 'it serves');
    assert.equal(servers[0]?.question, null);
  });
});

describe('programs beside an OpenVPN client', function () {
  this.timeout(patient(60_000));

  it('get what each gets alone', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    const namespace = lab.topology.local;
    await using client = await OpenVpnClient.start({
      namespace,
      pki: lab.pki,
      identity: lab.identity('local'),
      transport: 'udp4',
      remote: lab.served.v4,
      management: {},
    });
    const alone = await ask(client.managementSocket);
    const socket = path.join(lab.pki.directory, 'pass.sock');
    await using sidecar = Sidecar.launch({
      namespace,
      directory: lab.pki.directory,
      managementSocket: client.managementSocket,
      flags: ['--pass-through', `unix:${socket}`],
    });
    await opened(sidecar);

    const [shared, another] = await Promise.all([ask(socket), ask(socket)]);

    assert.equal(normalized(shared), normalized(alone));
    assert.equal(normalized(another), normalized(alone));
    const { servers } = await sidecar.statusWhere((status) => status.servers[0]?.role === 'client', 'a client');
    assert.equal(servers[0]?.passThrough?.[0]?.dropped, 0);
  });
});

describe('a second sidecar behind the socket of the first, and a third behind the second', function () {
  this.timeout(patient(120_000));

  it('see the clients of a real OpenVPN, and a program behind the third lets one in', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4', management: { clientAuth: true } });
    const sockets = ['one', 'two', 'three'].map((name) => path.join(lab.pki.directory, `${name}.sock`));
    const [one = '', two = '', three = ''] = sockets;
    await opened(await lab.startSidecar('--pass-through', `unix:${one}`));
    // Elsewhere, so that their rules do not meet: a unix socket is reached from every network namespace.
    await using second = await behind(lab, 'hostA', one, two);
    await using third = await behind(lab, 'hostB', two, three);
    await using program = await ManagementProgram.attach(three);

    const client = await lab.launchClient('local');
    const [, cid, kid] = await program.until(CONNECT);
    program.send(`client-auth-nt ${cid} ${kid}\n`);
    await client.connected();

    for (const sidecar of [lab.sidecar, second, third]) {
      const { clients } = await sidecar.statusWhere((status) => status.clients.length === 1, 'the client is known');
      assert.equal(clients[0]?.commonName, 'local');
    }
    await client.stop();
    for (const sidecar of [lab.sidecar, second, third])
      await sidecar.statusWhere((status) => status.clients.length === 0, 'the client is gone');
  });
});

describe('a TCP port that passes through', function () {
  this.timeout(patient(60_000));

  it('has a password, and lets a monitor read and nothing else', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    const { directory } = lab.pki;
    await writeFile(path.join(directory, 'password'), 'open sesame\n');
    const config = path.join(directory, 'gwmark.yaml');
    await writeFile(
      config,
      JSON.stringify({ passThrough: { address: 'tcp:127.0.0.1:7506', passwordFile: 'password' } }),
    );
    await opened(await lab.startSidecar('--config', config));
    const report = await runDoctor(lab.topology.endpoint, {
      flags: [
        '--config',
        config,
        '--management',
        `unix:${lab.server.managementSocket}`,
        '--control-socket',
        lab.sidecar.controlSocket,
      ],
    });
    assertFound(report, 'pass-through', 'ok', /open, 0 programs attached/);
    const script = 'open sesame\nstatus 3\nsignal SIGTERM\nkill local\nhold release\npid\nquit\n';

    const text = await eventually(
      async () => await lab.topology.endpoint.run(['socat', '-t', '30', '-', 'TCP:127.0.0.1:7506'], { input: script }),
      { what: 'an answer' },
    );

    assert.match(
      text,
      /^ENTER PASSWORD:SUCCESS: password is correct\r\n>INFO:.*\r\nTITLE\t.*END\r\n(ERROR: command "(signal|kill|hold)" is not allowed at this socket, only those that read are\r\n){3}SUCCESS: pid=\d+\r\n$/s,
    );
    assert.ok(!lab.server.process.lines.some((line) => line.includes('SIGTERM')));
  });
});

/** A client comes and goes; the last program lets it in. @returns what each got of it */
async function visit(lab: VpnLab, programs: readonly ManagementProgram[]): Promise<string[]> {
  for (const program of programs) program.mark();
  const client = await lab.launchClient('local');
  const last = programs.at(-1);
  const asked = await Promise.all(programs.map((program) => program.until(CONNECT)));
  const [, cid, kid] = asked.at(-1) ?? [];
  last?.send(`client-auth-nt ${cid} ${kid}\n`);
  await Promise.all(programs.map((program) => program.until(ESTABLISHED)));
  await client.connected();
  await client.stop();
  const gone = await Promise.all(programs.map((program) => program.until(DISCONNECT, { timeoutMs: GONE_MS })));
  return programs.map((program, index) =>
    [CONNECT.exec(program.recent)?.[0], ESTABLISHED.exec(program.recent)?.[0], gone[index]?.[0]].join(''),
  );
}

/** What a program gets that restarts OpenVPN and then ends it. */
async function restartAndEnd(lab: VpnLab, place: string): Promise<string> {
  await using program = await ManagementProgram.attach(place);
  await program.ask('state on', /ON\r\n$/);
  program.send('signal SIGUSR1\n');
  await program.until(/,CONNECTED,SUCCESS,.*\r\n/);
  program.send('signal SIGTERM\n');
  await program.ended();
  await lab.server.process.exited;
  return program.text;
}

async function behind(lab: VpnLab, role: 'hostA' | 'hostB', management: string, socket: string): Promise<Sidecar> {
  const directory = path.join(lab.pki.directory, role);
  const sidecar = Sidecar.launch({
    namespace: lab.topology[role],
    directory,
    managementSocket: management,
    flags: ['--pass-through', `unix:${socket}`, '--transport', 'udp/1194'],
  });
  await opened(sidecar);
  return sidecar;
}

/** What a program gets that asks an OpenVPN client. */
async function ask(place: string): Promise<string> {
  await using program = await ManagementProgram.attach(place);
  for (const [command, end] of [
    ['status', /END\r\n$/],
    ['status 3', /END\r\n$/],
    ['state', /END\r\n$/],
    ['load-stats', /SUCCESS: nclients=.*\r\n$/],
    ['kill local', /ERROR.*\r\n$/],
    ['client-kill 0', /ERROR.*\r\n$/],
    ['remote-entry-count', /(END|ERROR.*)\r\n$/],
    ['remote-entry-get all', /(END|ERROR.*)\r\n$/],
    ['bytecount 1', />BYTECOUNT:\d+,\d+\r\n$/],
    ['bytecount 0', /SUCCESS:.*\r\n$/],
    ['username "Auth" me', /ERROR.*\r\n$/],
    ['pkcs11-id-count', />PKCS11ID-COUNT:\d+\r\n$/],
  ] as const)
    await program.ask(command, end);
  return program.text;
}

/** What a program gets that gives the passphrase. */
async function answer(place: string): Promise<string> {
  await using program = await ManagementProgram.attach(place, />PASSWORD:Need.*\r\n/);
  await program.ask('password "Private Key" "open sesame"', /SUCCESS:.*\r\n/);
  return program.text;
}

/** Without what differs between two times and two connections. */
function normalized(text: string): string {
  return (
    text
      .replaceAll(/\b1\d{9}\b/g, 'TIME')
      .replaceAll(/(untrusted_port=|trusted_port=)\d+/g, '$1PORT')
      .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'DATE TIME')
      .replaceAll(/((?:BYTECOUNT:|bytes,|bytesin=|bytesout=|,)\d+)+/g, 'COUNTS')
      // As many as there was time for.
      .replaceAll(/(?:>COUNTS\r\n)+/g, '>COUNTS\r\n')
      .replaceAll(/((?:time_duration|bytes_sent|bytes_received)=)\d+/g, '$1COUNT')
      .replaceAll(/(CLIENT:[A-Z]+,)\d+/g, '$1CID')
  );
}
