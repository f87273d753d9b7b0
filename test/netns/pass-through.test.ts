/** Programs that share OpenVPN's management interface get what each would get alone, byte for byte. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { ManagementProgram } from '../lab/management-program.js';
import type { LabProcess } from '../lab/process.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

/** What a monitor polls, and the end of each answer. */
const POLLED: readonly (readonly [command: string, end: RegExp])[] = [
  ['help', /END\r\n$/],
  ['version', /END\r\n$/],
  ['pid', /pid=\d+\r\n$/],
  ['status', /END\r\n$/],
  ['status 1', /END\r\n$/],
  ['status 2', /END\r\n$/],
  ['status 3', /END\r\n$/],
  ['status 4', /\r\n$/],
  ['load-stats', /\r\n$/],
  ['nclients', /\r\n$/],
  ['state', /END\r\n$/],
  ['state all', /END\r\n$/],
  ['hold', /\r\n$/],
  ['verb', /\r\n$/],
  ['mute', /\r\n$/],
  ['echo all', /END\r\n$/],
  ['kill nobody', /\r\n$/],
  ['client-kill 99', /\r\n$/],
  ['signal SIGNOTHING', /\r\n$/],
  ['auth-retry', /\r\n$/],
  ['bytecount', /\r\n$/],
  ['log', /\r\n$/],
  ['log much', /\r\n$/],
  ['no-such-command of mine', /\r\n$/],
  ['kill "no end', /\r\n$/],
  ['env-filter 1', /\r\n$/],
  ['env-filter', /\r\n$/],
  ['state on 1', /END\r\n$/],
  ['state off', /OFF\r\n$/],
  ['test 3', /\[2\].*\r\n$/],
  ['pid extra', /\r\n$/],
  ['version 3\npid', /pid=\d+\r\n$/],
  ['; a comment\npid', /pid=\d+\r\n$/],
  ['log off', /OFF\r\n$/],
  ['echo on\necho off', /OFF\r\n$/],
];

/** The end of a client that left in order. */
const LEFT = /client-instance exiting\r\n/;
const BLOCK = String.raw`\r\n(?:>CLIENT:ENV,.*\r\n)*>CLIENT:ENV,END\r\n`;
describe('programs that share the management interface of one OpenVPN', function () {
  this.timeout(patient(120_000));
  let lab: VpnLab;
  let sockets: { readonly logins: string; readonly others: string };
  /** What each got alone, from OpenVPN itself. */
  const alone = { polls: [] as string[], logins: '' };
  /** What `socat` got. */
  let log = '';

  before(async () => {
    lab = await VpnLab.create({
      transport: 'udp4',
      management: { clientAuth: true },
      serverExtra: ['management-log-cache 5000'],
    });
    const { directory } = lab.pki;
    sockets = { logins: path.join(directory, 'logins.sock'), others: path.join(directory, 'others.sock') };
    const { managementSocket } = lab.server;
    alone.logins = await recordAlone();
    {
      await using program = await ManagementProgram.attach(managementSocket);
      alone.polls = await poll(program);
    }
    const config = path.join(directory, 'gwmark.yaml');
    await writeFile(
      config,
      JSON.stringify({ passThrough: [{ address: `unix:${sockets.logins}`, logins: true }, `unix:${sockets.others}`] }),
    );
    await lab.startSidecar('--config', config);
    await lab.sidecar.statusWhere(
      ({ servers }) => servers[0]?.passThrough?.every(({ isOpen }) => isOpen) === true,
      'the sockets are open',
    );
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  async function recordAlone(): Promise<string> {
    await using program = await ManagementProgram.attach(lab.server.managementSocket);
    program.send('state on\n');
    await letComeAndGo(program);
    return program.text;
  }

  /** A client comes, is let in by this program, and goes. */
  async function letComeAndGo(program: ManagementProgram): Promise<void> {
    const client = await lab.launchClient('local');
    const [, cid, kid] = await program.until(new RegExp(`>CLIENT:CONNECT,(\\d+),(\\d+)${BLOCK}`));
    program.send(`client-auth ${cid} ${kid}\npush "dhcp-option DOMAIN example.com"\nEND\n`);
    await program.until(new RegExp(`>CLIENT:ESTABLISHED,\\d+${BLOCK}`));
    await client.connected();
    await client.stop();
    await program.until(new RegExp(`>CLIENT:DISCONNECT,\\d+${BLOCK}`));
  }

  it('gives four at once what each gets alone', async () => {
    await using monitor = await ManagementProgram.attach(sockets.others);
    await using logins = await ManagementProgram.attach(sockets.logins);
    await using socat = await Socat.attach(lab, sockets.others, 'log on all');
    logins.send('state on\n');
    await logins.until(/set to ON/);

    const polls = await poll(monitor);
    monitor.mark();
    await letComeAndGo(logins);
    await monitor.until(new RegExp(`>CLIENT:DISCONNECT,\\d+${BLOCK}`));
    log = await socat.until(LEFT);

    assert.deepEqual(polls.map(normalized), alone.polls.map(normalized));
    assert.equal(normalized(logins.text), normalized(alone.logins));
    assert.equal(normalized(monitor.recent), normalized(eventsOf(alone.logins)));
    // The fourth is gwmark itself.
    const { clients, servers } = await lab.sidecar.statusWhere((status) => status.clients.length === 0, 'nobody');
    assert.deepEqual(clients, []);
    assert.equal(servers[0]?.state, 'ready');
  });

  it('gives the log, and its history, as OpenVPN has it', async () => {
    await using program = await ManagementProgram.attach(sockets.others);

    const shared = await program.ask('log all', /END\r\n$/);

    await lab.sidecar.stop();
    await using direct = await ManagementProgram.attach(lab.server.managementSocket);
    const history = await direct.ask('log all', /END\r\n$/);
    const [, earlier = '', realtime = ''] = /^.*\r\n.*set to ON\r\n(.*?)END\r\n(.*)$/s.exec(log) ?? [];
    for (const part of [shared.replace(/END\r\n$/, ''), earlier, logLines(realtime)]) {
      assert.ok(part.split('\r\n').length > 30, part);
      assert.ok(history.includes(part), `what was relayed is a part of what OpenVPN has:\n${part}\n${history}`);
    }
  });
});

/** `socat`, with what it got in a file. */
class Socat implements AsyncDisposable {
  readonly #process: LabProcess;
  readonly #output: string;

  private constructor(process: LabProcess, output: string) {
    this.#process = process;
    this.#output = output;
  }

  /** Resolves when the answer of the command has come. */
  static async attach(lab: VpnLab, place: string, command: string): Promise<Socat> {
    const [commands, output] = [path.join(lab.pki.directory, 'commands'), path.join(lab.pki.directory, 'output')];
    await writeFile(commands, `${command}\n`);
    await writeFile(output, '');
    const process = lab.topology.endpoint.spawn(
      ['socat', `OPEN:${commands},rdonly,ignoreeof!!OPEN:${output},wronly,append`, `UNIX-CONNECT:${place}`],
      { name: 'socat' },
    );
    const socat = new Socat(process, output);
    await socat.until(/\nEND\r\n/);
    return socat;
  }

  async until(end: RegExp): Promise<string> {
    return await eventually(
      async () => {
        const text = await readFile(this.#output, 'latin1');
        return end.test(text) && text;
      },
      { what: `${end} in what socat got` },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop();
  }
}

async function poll(program: ManagementProgram): Promise<string[]> {
  const answers: string[] = [];
  for (const [command, end] of POLLED) answers.push(await program.ask(command, end));
  return answers;
}

/** What a program gets of a client that another one lets in. */
function eventsOf(text: string): string {
  return text
    .replace(new RegExp(`>CLIENT:CONNECT,.*${BLOCK}`), '')
    .split(/(?<=\r\n)/)
    .filter((line) => /^>(CLIENT|NOTIFY):/.test(line))
    .join('');
}

/** Lines of the log that came as it was written, as its history has them. */
function logLines(text: string): string {
  return text
    .split(/(?<=\r\n)/)
    .filter((line) => line.startsWith('>LOG:'))
    .map((line) => line.slice('>LOG:'.length))
    .join('');
}

/** Without what differs between two times and two connections. */
function normalized(text: string): string {
  return text
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'DATE TIME')
    .replaceAll(/\b1\d{9}\b/g, 'TIME')
    .replaceAll(/(untrusted_port=|trusted_port=|192\.0\.2\.\d+:)\d+/g, '$1PORT')
    .replaceAll(/((?:time_duration|bytes_sent|bytes_received)=)\d+/g, '$1COUNT')
    .replaceAll(/(CLIENT:[A-Z]+,|client-auth )\d+/g, '$1CID');
}
