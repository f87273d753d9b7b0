/** Programs of others that use the management interface, as they are published, beside a sidecar. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { exec } from '../lab/process.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

/** Waits for each answer, prints what the module makes of it, and leaves. */
const TELNET_OPENVPN = `const TelnetVPN = require('telnet-openvpn');
const vpn = new TelnetVPN();
const commands = ['pid', 'state on 1', 'log on', 'log off', 'bytecount 0', 'hold release', 'no-such-command', 'load-stats'];
const answers = [];
const next = () => {
  const command = commands.shift();
  if (command !== undefined) void vpn.exec(command);
  else {
    console.log(JSON.stringify(answers));
    process.exit(0);
  }
};
const take = (kind) => (data) => {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  // The history of states ends with END; every other command has one line.
  if (/MANAGEMENT: CMD|^\\d+,|INFO:/.test(text)) return;
  if (/real-time state/.test(text)) return void answers.push([kind, data]);
  answers.push([kind, data]);
  next();
};
vpn.on('data', take('data'));
vpn.on('error', take('error'));
vpn.on('log', take('log'));
vpn.connect({ host: '127.0.0.1', port: Number(process.argv[2]), negotiationMandatory: false, ors: '\\n', sendTimeout: 10000 });
vpn.on('connect', next);
`;

/** Every command of the module; then OpenVPN restarts, and its states are printed up to CONNECTED. */
const GO_OPENVPN_MGMT = `package main

import (
	"fmt"
	"os"

	"github.com/apparentlymart/go-openvpn-mgmt/openvpn"
)

func main() {
	events := make(chan openvpn.Event, 1000)
	client, err := openvpn.Dial(os.Args[1], events)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	pid, err := client.Pid()
	fmt.Println("pid", pid, err)
	fmt.Println("states", client.SetStateEvents(true))
	fmt.Println("echo", client.SetEchoEvents(true), client.SetEchoEvents(false))
	state, err := client.LatestState()
	fmt.Println("state", state.NewState(), state.LocalTunnelAddr(), err)
	fmt.Println("byte counts", client.SetByteCountEvents(0))
	fmt.Println("hold", client.HoldRelease())
	fmt.Println("wrong signal", client.SendSignal("SIGNOTHING"))
	fmt.Println("signal", client.SendSignal("SIGUSR1"))
	for event := range events {
		change, isState := event.(*openvpn.StateEvent)
		if !isState {
			fmt.Println("event", event)
			continue
		}
		fmt.Println("state", change.NewState(), change.Description(), change.LocalTunnelAddr())
		if change.NewState() == "CONNECTED" {
			return
		}
	}
}
`;

/** Compiled files lie in dist/test/tarballs. */
const BUILD_GO = fileURLToPath(new URL('../../../scripts/build-go.sh', import.meta.url));

describe('go-openvpn-mgmt of Debian', function () {
  this.timeout(patient(180_000));
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'gwmark-programs-'));
    await writeFile(path.join(folder, 'main.go'), GO_OPENVPN_MGMT);
    await exec(['bash', BUILD_GO, path.join(folder, 'main.go'), path.join(folder, 'program')], { timeoutMs: 150_000 });
  });
  after(async () => {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  async function run(place: string): Promise<string> {
    return await eventually(async () => await exec([path.join(folder, 'program'), place]), {
      what: 'the program has its answers',
    });
  }

  it('makes of a sidecar what it makes of OpenVPN', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    const socket = path.join(lab.pki.directory, 'pass.sock');
    const alone = await run(lab.server.managementSocket);
    await lab.startSidecar('--pass-through', `unix:${socket}`);

    const shared = await run(socket);

    assert.equal(shared, alone);
    assert.match(shared, /state RECONNECTING SIGUSR1 .*\n(.*\n)*state CONNECTED SUCCESS 10\.8\.0\.1\n$/);
  });
});

describe('telnet-openvpn of the npm registry', function () {
  this.timeout(patient(120_000));
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'gwmark-programs-'));
    await exec(
      ['npm', 'install', '--prefix', folder, '--prefer-offline', '--no-audit', '--no-fund', 'telnet-openvpn@0.1.9'],
      {
        timeoutMs: 100_000,
      },
    );
    await writeFile(path.join(folder, 'program.js'), TELNET_OPENVPN);
  });
  after(async () => {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  it('makes of a sidecar what it makes of OpenVPN', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    const { endpoint } = lab.topology;
    const run = async (port: number): Promise<string> =>
      await eventually(
        async () => await endpoint.run([process.execPath, path.join(folder, 'program.js'), String(port)]),
        { what: 'telnet-openvpn has its answers' },
      );
    // It speaks TCP only.
    const bridge = endpoint.spawn(
      ['socat', 'TCP-LISTEN:7505,reuseaddr,fork', `UNIX-CONNECT:${lab.server.managementSocket}`],
      { name: 'socat' },
    );
    const alone = await run(7505);
    await bridge.stop();
    const config = path.join(lab.pki.directory, 'gwmark.yaml');
    await writeFile(config, JSON.stringify({ passThrough: { address: 'tcp:127.0.0.1:7506', allow: 'all' } }));
    await lab.startSidecar('--config', config);

    const shared = await run(7506);

    assert.equal(shared, alone);
    assert.match(shared, /"pid":"\d+"/);
  });
});
