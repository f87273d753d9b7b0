/** `gwmark top` and `--watch` in a terminal of the kernel, of a real sidecar with real clients. */
import assert from 'node:assert/strict';

import type { LabProcess } from '../lab/process.js';
import { PROGRAM, runGwmark } from '../lab/sidecar.js';
import { Terminal, type TerminalOptions } from '../lab/terminal.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

/** Says whether the terminal is as it was, and what the command exited with. */
const AROUND = (command: string): string =>
  `sh -c 'before=$(stty -g); ${command}; code=$?; test "$before" = "$(stty -g)" && echo "restored, exit $code"'`;

/** Puts the cursor in place, clears the row, or colours. */
const COLOUR = /\[3\dm/;

/** How many rows a text draws. */
function rowsIn(text: string): number {
  return text.split('\u001b[K').length - 1;
}

describe('gwmark top', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  let pinging: LabProcess;

  before(async () => {
    lab = await VpnLab.working({ transport: 'udp4' }, 'client1', 'client2');
    pinging = lab.topology.hostA.spawn(['ping', '-q', '-i', '0.05', '-s', '800', TUNNEL.client1.v4], { name: 'ping' });
  });
  after(async () => {
    await pinging?.stop();
    await lab?.[Symbol.asyncDispose]();
  });

  function command(...args: readonly string[]): string {
    return [PROGRAM, ...args, '--control-socket', lab.sidecar.controlSocket].join(' ');
  }

  function top(options: TerminalOptions = {}, ...args: readonly string[]): Promise<Terminal> {
    return Terminal.open(command('top', ...args), { rows: 24, columns: 120, ...options });
  }

  it('shows clients and gateways with their rates, the fastest first', async () => {
    await using terminal = await top();

    const screen = await terminal.shows(
      new RegExp(String.raw`^client1 +\d[\d.]* kB +\d[\d.]* kB [^\n]*${TUNNEL.client1.v4}[^\n]*\nclient2 `, 'm'),
    );
    assert.match(screen[0] ?? '', /^gwmark \S+ {2}ready {2}\w+, \w+ {2}2 clients {2}3 gateways {2}uplink \d/);
    await terminal.shows(new RegExp(String.raw`${MAC.r1} +active +\d[\d.]* kB +\d[\d.]* kB`));
    assert.ok(screen.some((line) => line.includes(MAC.u) && line.includes('active, uplink')));
  });

  it('shows a client that connects, and does not show one that left', async () => {
    await using terminal = await top();
    await terminal.shows(/^client2 /m);
    assert.ok(!(await terminal.screen()).some((line) => line.startsWith('local ')));

    await lab.connect('local');
    await terminal.shows(/^local /m);
    await terminal.shows(/ 3 clients /);
    await lab.client('local').stop();

    await terminal.shows(/ 2 clients /);
    assert.ok(!(await terminal.screen()).some((line) => line.startsWith('local ')));
  });

  it('filters by a text, letter by letter, and shows all again after Escape', async () => {
    await using terminal = await top();
    await terminal.shows(/^client1 [^]*^client2 /m);

    terminal.type('/');
    terminal.type('8.0.12');
    const screen = await terminal.shows(/clients: 1 of 2 with "8\.0\.12"/);
    assert.ok(screen.some((line) => line.startsWith('client2 ')));
    assert.ok(!screen.some((line) => line.startsWith('client1 ')));
    // q is a letter now.
    terminal.type('q');
    await terminal.shows(/clients: 0 of 2 with "8\.0\.12q"/);
    terminal.type('\u007f\r');
    await terminal.shows(/clients: 1 of 2[^]*q quit/);
    terminal.type('\u001b');

    await terminal.shows(/clients: 2, by[^]*^client1 /m);
  });

  it('sorts by the next order, and reverses it', async () => {
    await using terminal = await top();
    await terminal.shows(/by rate/);

    terminal.type('s');
    await terminal.shows(/by name\n[^]*^client1 [^]*^client2 /m);
    terminal.type('r');
    await terminal.shows(/by name, reversed\n[^]*^client2 [^]*^client1 /m);
    terminal.type('S');

    await terminal.shows(/by rate, the fastest first, reversed/);
  });

  it('filters and scrolls the gateways after Tab', async () => {
    await using terminal = await top();
    await terminal.shows(/^> clients/m);

    terminal.type('\t');
    await terminal.shows(/^> gateways: \d/m);
    terminal.type(`/${MAC.r2}\r`);

    const screen = await terminal.shows(/^> gateways: 1 of \d/m);
    assert.ok(screen.some((line) => line.includes(MAC.r2)));
    assert.ok(!screen.some((line) => line.includes(MAC.r1)));
  });

  it('stops the picture while it is paused', async () => {
    await using terminal = await top();
    await terminal.shows(/^client1 +\d/m);

    terminal.type(' ');
    const before = await terminal.shows(/PAUSED/);
    await lab.topology.u.run(['ping', '-n', '-c', '3', '-i', '1', ADDRESS.endpoint.v4]);

    assert.deepEqual(await terminal.screen(), before);
    terminal.type(' ');
    await eventually(async () => (await terminal.screen()).join() !== before.join(), { what: 'another picture' });
  });

  it('takes the size that the terminal gets, and cuts what does not fit', async () => {
    await using terminal = await top();
    await terminal.shows(/q quit[^\n]*$/);

    await terminal.resize(40, 60);
    await eventually(async () => (await terminal.screen())[39]?.startsWith('q quit'), { what: 'the keys in row 40' });
    await terminal.resize(8, 30);
    await eventually(async () => (await terminal.screen())[7]?.startsWith('q quit'), { what: 'the keys in row 8' });
    await terminal.shows(/^gwmark /);
    await terminal.resize(1, 1);
    await terminal.resize(24, 120);

    await terminal.shows(/^gwmark [^]*client1 [^]*q quit/);
  });

  for (const [how, end] of [
    ['q', (terminal: Terminal) => terminal.type('q')],
    ['^C', (terminal: Terminal) => terminal.type('\u0003')],
    ['SIGTERM', (terminal: Terminal) => terminal.signal('SIGTERM')],
    ['SIGINT', (terminal: Terminal) => terminal.signal('SIGINT')],
    ['SIGHUP', (terminal: Terminal) => terminal.signal('SIGHUP')],
    ['SIGQUIT', (terminal: Terminal) => terminal.signal('SIGQUIT')],
  ] as const)
    it(`restores the terminal when ${how} ends it, and exits with 0`, async () => {
      await using terminal = await Terminal.open(AROUND(`echo before; ${command('top')}`), { rows: 24, columns: 120 });
      await terminal.shows(/^client1 /m);
      assert.ok(terminal.isAlternate);

      await end(terminal);

      const screen = await terminal.shows(/restored, exit 0/);
      assert.deepEqual(screen.slice(0, 2), ['before', 'restored, exit 0']);
      assert.ok(!terminal.isAlternate);
      assert.ok(terminal.received.lastIndexOf('\u001b[?25h') > terminal.received.lastIndexOf('\u001b[?25l'));
    });

  it('restores the terminal while ^Z stops it, and draws everything again after fg', async () => {
    await using terminal = await Terminal.open(`exec bash --norc --noprofile -i`, {
      rows: 24,
      columns: 120,
      env: { ...process.env, PS1: '$ ' },
    });
    await terminal.shows(/\$ $|\$$/m);
    terminal.type(`PS1='$ '; ${command('top')}\r`);
    await terminal.shows(/^client1 /m);

    terminal.type('\u001a');
    await terminal.shows(/Stopped/);
    assert.ok(!terminal.isAlternate);
    terminal.type('stty -a | tr " " "\\n" | grep -x icanon\r');
    await terminal.shows(/^icanon$/m);
    terminal.type('fg\r');

    await terminal.shows(/^gwmark [^]*client1 [^]*q quit/);
    assert.ok(terminal.isAlternate);
    terminal.type('q');
    await terminal.shows(/\$ *$/m);
    assert.ok(!terminal.isAlternate);
  });

  it('sends only the rows that changed, for slow lines', async () => {
    await using terminal = await top();
    await terminal.shows(/^client1 +\d/m);
    const whole = terminal.received.length;

    const { length } = terminal.received;
    await eventually(() => rowsIn(terminal.received.slice(length)) > 0, { what: 'a change' });
    const before = terminal.received.length;
    await eventually(() => terminal.received.length > before, { what: 'another change' });

    const change = terminal.received.slice(before);
    assert.ok(rowsIn(change) < 12, `${rowsIn(change)} rows of 24 in ${JSON.stringify(change)}`);
    assert.ok(change.length < whole);
  });

  it('has no colours with NO_COLOR, and some without', async () => {
    await using plain = await top({ env: { ...process.env, NO_COLOR: '1' } });
    await plain.shows(/^client1 /m);
    await using coloured = await top({ env: { ...process.env, NO_COLOR: '' } });
    await coloured.shows(/^client1 /m);

    assert.doesNotMatch(plain.received, COLOUR);
    assert.match(coloured.received, COLOUR);
  });

  it('--once prints all of it, without control sequences, and with the rates of everybody', async () => {
    const { code, stdout, stderr } = await runGwmark(
      lab.topology.endpoint,
      ['top', '--once', '--control-socket', lab.sidecar.controlSocket],
      { timeoutMs: 30_000 },
    );

    assert.deepEqual([code, stderr], [0, '']);
    assert.ok(!stdout.includes('\u001b'));
    assert.match(stdout, /^client1 +\d[\d.]* kB +\d[\d.]* kB /m);
    assert.match(stdout, /^client2 +\d/m);
  });

  it('--once --json has clients and gateways with rates in bytes per second, sorted and filtered', async () => {
    const { stdout } = await runGwmark(
      lab.topology.endpoint,
      ['top', '--once', '--json', '--filter', 'client1', '--control-socket', lab.sidecar.controlSocket],
      { timeoutMs: 30_000 },
    );

    const document = JSON.parse(stdout) as {
      readonly ready: boolean;
      readonly clients: readonly { readonly commonName: string; readonly sentPerSecond: number }[];
      readonly gateways: readonly { readonly mac: string; readonly sentPerSecond: number | null }[];
    };
    assert.equal(document.ready, true);
    assert.deepEqual(
      document.clients.map(({ commonName }) => commonName),
      ['client1'],
    );
    // 20 packets a second of 828 bytes and more.
    assert.ok((document.clients[0]?.sentPerSecond ?? 0) > 1000);
    assert.ok([MAC.r1, MAC.r2, MAC.u].every((mac) => document.gateways.some((gateway) => gateway.mac === mac)));
  });

  it('asks for a terminal, unless it prints once or JSON', async () => {
    const { code, stdout, stderr } = await runGwmark(lab.topology.endpoint, [
      'top',
      '--control-socket',
      lab.sidecar.controlSocket,
    ]);

    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^gwmark: "gwmark top" needs a terminal: use --once, or --json$/m);
  });

  for (const [name, shown] of [
    ['clients', /^client1 +10\.8\.0\.11 /m],
    ['gateways', new RegExp(String.raw`^\d +lan0 +${MAC.r1} +active`, 'm')],
  ] as const)
    it(`gwmark ${name} --watch shows the table of gwmark ${name} in place, and restores the terminal`, async () => {
      await using terminal = await Terminal.open(AROUND(command(name, '--watch')), { rows: 12, columns: 100 });
      const screen = await terminal.shows(shown);
      assert.ok(terminal.isAlternate);
      assert.equal(screen[11], 'q quits');
      const counted = terminal.received.length;
      await eventually(() => terminal.received.length > counted, { what: 'a change' });

      terminal.type('q');

      await terminal.shows(/^restored, exit 0$/m);
    });

  it('gwmark clients --watch prints the table again when a client leaves, where it is no terminal', async () => {
    await lab.connect('local');
    await using watching = lab.topology.endpoint.spawn(command('clients', '--watch').split(' '), { name: 'watch' });
    await watching.waitFor(/^local /);
    const from = watching.lines.length;

    await lab.client('local').stop();

    await watching.waitFor(/^NAME /, { from });
    await watching.waitFor(/^client2 /, { from });
    assert.ok(!watching.lines.slice(from).some((line) => line.startsWith('local ')));
    assert.ok(!watching.log.includes('\u001b'));
  });

  it('gwmark flows --watch shows the flows of the kernel in place', async () => {
    const argv = lab.topology.endpoint.argv(command('flows', '--watch').split(' '));
    await using terminal = await Terminal.open(AROUND(argv.join(' ')), { rows: 12, columns: 120 });

    await terminal.shows(new RegExp(String.raw`^icmp +${ADDRESS.hostA.v4} +${TUNNEL.client1.v4} `, 'm'));
    terminal.type('\u0003');

    await terminal.shows(/^restored, exit 0$/m);
  });

  it('says that the sidecar has ended, and shows the next one', async () => {
    await using terminal = await top();
    await terminal.shows(/^client1 /m);

    await lab.sidecar.stop();
    await terminal.shows(/the sidecar at \S+ has ended|cannot reach the sidecar/);
    assert.ok((await terminal.screen()).some((line) => line.startsWith('client1 ')));
    await lab.startSidecar();

    await terminal.shows(/^gwmark \S+ {2}ready[^]*^\n[^]*^client1 +\d/m);
    assert.ok(!(await terminal.screen()).join('\n').includes('sidecar at'));
  });

  it('exits with 1 where no sidecar answers, and leaves the terminal alone', async () => {
    await using terminal = await Terminal.open(`${PROGRAM} top --control-socket /nonexistent/s`);

    assert.equal(await terminal.exitCode(), 1);
    assert.match((await terminal.screen()).join('\n'), /cannot reach the sidecar at \/nonexistent\/s/);
    assert.ok(!terminal.received.includes('\u001b[?1049h'));
  });
});
