/*
 * Records the transcripts beside this file from a real OpenVPN, in network namespaces that it makes and removes.
 * Run as root after a build:  node dist/test/transcripts/record.js test/transcripts [scenario...]
 */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type OpenVpnClient, OpenVpnServer } from '../lab/openvpn.js';
import { eventually } from '../lab/wait.js';
import { CLIENT_SCENARIOS } from './client-scenarios.js';
import { Recording } from './recording.js';
import { greet, LOGIN, RecordingLab, type Scenarios } from './recording-lab.js';

const EVENT_END = '(?:>CLIENT:ENV,[^\\r]*\\r\\n)*?>CLIENT:ENV,END\\r\\n';
const CONNECT = new RegExp(`>CLIENT:CONNECT,(\\d+),(\\d+)\\r\\n${EVENT_END}`);
const REAUTH = new RegExp(`>CLIENT:REAUTH,(\\d+),(\\d+)\\r\\n${EVENT_END}`);
const ESTABLISHED = new RegExp(`>CLIENT:ESTABLISHED,(\\d+)\\r\\n${EVENT_END}`);
const DISCONNECT = new RegExp(`>CLIENT:DISCONNECT,(\\d+)\\r\\n${EVENT_END}`);

async function accept(recording: Recording): Promise<string> {
  const [, cid = '', kid = ''] = await recording.hear(CONNECT);
  await recording.ask(`client-auth-nt ${cid} ${kid}`);
  return cid;
}

const SUBNETS = {
  subnets: ['203.0.113.0 255.255.255.128', '203.0.113.128 255.255.255.192'],
  subnets6: ['2001:db8:77::/64'],
};

const SERVER_SCENARIOS: Scenarios = {
  'client-auth': {
    about:
      'with management-client-auth: login, addresses, subnets (iroutes), renegotiation, byte counts, orderly leave',
    run: async (lab) => {
      await using server = await lab.serve({
        management: { clientAuth: true },
        clients: { site: SUBNETS },
        extra: ['reneg-sec 4', 'tran-window 2'],
      });
      const recording = await Recording.open(server.managementSocket);
      await greet(recording);
      await recording.askRows('status 3');
      await using client = await lab.dial('site');
      await accept(recording);
      await recording.hear(ESTABLISHED);
      await recording.ask('bytecount 1');
      await recording.hear(/>BYTECOUNT_CLI:[^\r]*\r\n/);
      await recording.askRows('status 3');
      const [, cid = '', kid = ''] = await recording.hear(REAUTH);
      await recording.ask(`client-auth-nt ${cid} ${kid}`);
      await recording.ask('load-stats');
      await client.stop();
      await recording.hear(DISCONNECT);
      await recording.askRows('status 3');
      recording.send('exit');
      await recording.ended();
      return recording;
    },
  },
  'without-client-auth': {
    about: 'without management-client-auth: ESTABLISHED is all there is, no DISCONNECT comes',
    run: async (lab) => {
      await using server = await lab.serve({ management: {}, clients: { site: SUBNETS } });
      const recording = await Recording.open(server.managementSocket);
      await greet(recording);
      await using client = await lab.dial('site');
      await recording.hear(ESTABLISHED);
      await recording.askRows('status 3');
      await client.stop();
      await recording.hear(/>NOTIFY:[^\r]*\r\n/);
      await eventually(
        async () => {
          recording.send('load-stats');
          return (await recording.hear(/nclients=(\d+)[^\r]*\r\n/))[1] === '0';
        },
        { what: 'the end of the client', intervalMs: 1000 },
      );
      await recording.askRows('status 3');
      return recording;
    },
  },
  'ipv6-transport': {
    about: 'OpenVPN itself over IPv6: real addresses have no port in status 3',
    run: async (lab) => {
      await using server = await lab.serve({ transport: 'udp6', management: { clientAuth: true } });
      const recording = await Recording.open(server.managementSocket);
      await greet(recording);
      await using near = await lab.dial('near', { transport: 'udp6', remote: '2001:db8:1::1' });
      await accept(recording);
      await recording.hear(ESTABLISHED);
      await using far = await lab.dial('far', { namespace: lab.far, transport: 'udp6', remote: '2001:db8:2::1' });
      await accept(recording);
      await recording.hear(ESTABLISHED);
      await recording.askRows('status 3');
      await Promise.all([near.stop(), far.stop()]);
      await recording.hear(DISCONNECT);
      await recording.hear(DISCONNECT);
      return recording;
    },
  },
  'tcp-kill': {
    about: 'over TCP, two clients; one is ended by client-kill, the other by kill; unknown ones too',
    run: async (lab) => {
      await using server = await lab.serve({ transport: 'tcp4', management: { clientAuth: true } });
      const recording = await Recording.open(server.managementSocket);
      await greet(recording);
      await using near = await lab.dial('near', { transport: 'tcp4' });
      const cid = await accept(recording);
      await recording.hear(ESTABLISHED);
      await using far = await lab.dial('far', { namespace: lab.far, transport: 'tcp4' });
      await accept(recording);
      await recording.hear(ESTABLISHED);
      await recording.askRows('status 3');
      await recording.ask('client-kill 4711');
      await recording.ask('kill "nobody"');
      recording.send('kill "far"');
      await recording.hear(DISCONNECT);
      await far.stop();
      await recording.ask(`client-kill ${cid} "HALT,maintenance"`);
      await recording.hear(DISCONNECT);
      await near.stop();
      return recording;
    },
  },
  takeover: {
    about: 'a second client of the same name takes the address over: CONNECT new, DISCONNECT old, ADDRESS new',
    run: async (lab) => {
      await using server = await lab.serve({ management: { clientAuth: true } });
      const recording = await Recording.open(server.managementSocket);
      await greet(recording);
      await using first = await lab.dial('roamer', { extra: ['ifconfig-noexec', 'route-noexec', 'ping-exit 60'] });
      await accept(recording);
      await recording.hear(ESTABLISHED);
      await using second = await lab.dial('roamer', { namespace: lab.far });
      await accept(recording);
      await recording.hear(ESTABLISHED);
      await recording.askRows('status 3');
      first.process.kill('SIGKILL');
      await second.stop();
      return recording;
    },
  },
  reject: {
    about:
      'a login refused by client-deny, and one that client-config-dir disables: ESTABLISHED comes after DISCONNECT',
    run: async (lab) => {
      await using server = await lab.serve({
        management: { clientAuth: true },
        clients: { banned: { extra: ['disable'] } },
      });
      const recording = await Recording.open(server.managementSocket);
      await greet(recording);
      await using denied = await lab.dial('denied');
      const [, cid = '', kid = ''] = await recording.hear(CONNECT);
      await recording.ask(`client-deny ${cid} ${kid} "no \\"such\\" user" "go away"`);
      await recording.hear(DISCONNECT);
      await denied.stop();
      await using banned = await lab.dial('banned');
      await accept(recording);
      await recording.hear(/>CLIENT:ESTABLISHED/);
      await recording.hear(/>CLIENT:ENV,END\r\n/);
      await recording.askRows('status 3');
      await banned.stop();
      return recording;
    },
  },
  sigusr1: {
    about: 'a restart inside: everyone goes, states tell, CIDs begin at 0 again on the same connection',
    run: async (lab) => {
      await using server = await lab.serve({ management: { clientAuth: true } });
      const recording = await Recording.open(server.managementSocket);
      await greet(recording);
      await using client = await lab.dial('stayer');
      await accept(recording);
      await recording.hear(ESTABLISHED);
      await recording.ask('signal SIGUSR1');
      await recording.hear(/>STATE:[^\r]*RECONNECTING[^\r]*\r\n/);
      await recording.hear(/>STATE:[^\r]*CONNECTED[^\r]*\r\n/);
      client.process.kill('SIGUSR1');
      await accept(recording);
      await recording.hear(ESTABLISHED);
      await client.stop();
      await recording.hear(DISCONNECT);
      await server.stop();
      await recording.ended();
      return recording;
    },
  },
  password: {
    about: 'a management password, wrong once, then right',
    run: async (lab) => {
      await using server = await lab.serve({ management: { password: 'open sesame' } });
      const recording = await Recording.open(server.managementSocket);
      await recording.hear(/ENTER PASSWORD:/);
      recording.send('wrong');
      await recording.hear(/ENTER PASSWORD:/);
      recording.send('open sesame');
      await recording.hear(/>INFO:[^\r]*\r\n/);
      await recording.ask('pid');
      return recording;
    },
  },
  'password-refused': {
    about: 'a management password, wrong three times: the daemon hangs up without a word',
    run: async (lab) => {
      await using server = await lab.serve({ management: { password: 'open sesame' } });
      const recording = await Recording.open(server.managementSocket);
      for (let tries = 0; tries < 3; tries += 1) {
        await recording.hear(/ENTER PASSWORD:/);
        recording.send('wrong');
      }
      await recording.ended();
      return recording;
    },
  },
  hold: {
    about:
      'management-hold: HOLD with the banner, commands of the server mode refused, a signal answered by HOLD again, release',
    run: async (lab) => {
      await using server = await lab.serve({ management: { hold: true, clientAuth: true } });
      const recording = await Recording.open(server.managementSocket);
      await recording.hear(/>HOLD:[^\r]*\r\n/);
      await recording.ask('load-stats');
      await recording.ask('status 3');
      await recording.ask('client-kill 0');
      await recording.ask('signal SIGUSR1');
      await recording.hear(/>HOLD:[^\r]*\r\n/);
      await recording.askRows('state on all');
      await recording.ask('hold release');
      await recording.hear(/>STATE:[^\r]*CONNECTED[^\r]*\r\n/);
      await recording.askRows('status 3');
      return recording;
    },
  },
  'broken-status': {
    about: 'a user name of 450 bytes breaks status 3 off, without END; status 1 still answers',
    run: async (lab) => {
      await using server = await lab.serve({ management: { clientAuth: true } });
      const recording = await Recording.open(server.managementSocket);
      await greet(recording);
      await using plain = await lab.dial('plain');
      await accept(recording);
      await recording.hear(ESTABLISHED);
      await using nasty = await lab.dial('nasty', {
        namespace: lab.far,
        login: { username: 'x'.repeat(450), password: LOGIN.password },
      });
      await accept(recording);
      await recording.hear(ESTABLISHED);
      await recording.askRows('status 3');
      await recording.askRows('status 1');
      await nasty.stop();
      await recording.hear(DISCONNECT);
      await recording.askRows('status 3');
      await plain.stop();
      return recording;
    },
  },
  'odd-text': {
    about:
      'values with commas, equals signs, END, quotes and UTF-8; the log of our own commands between replies; commands that are refused',
    run: async (lab) => {
      await using server = await lab.serve({ management: { clientAuth: true } });
      const recording = await Recording.open(server.managementSocket);
      await greet(recording);
      await recording.askRows('log on all');
      await recording.ask('verb 4');
      await using client = await lab.dial('odd', {
        login: { username: 'Zoë, "quoted"=END \u{1f511}', password: 'END' },
        extra: [
          'ifconfig-noexec',
          'route-noexec',
          'push-peer-info',
          'setenv UV_END END',
          'setenv UV_WIRE >CLIENT:ENV,END',
          'setenv UV_EMPTY ""',
        ],
      });
      await accept(recording);
      await recording.hear(ESTABLISHED);
      await recording.askRows('status 3');
      await recording.askRows('status 9');
      await recording.ask('no-such-command');
      await recording.ask('version 4\npid');
      await recording.askRows('pkcs11-id-count');
      await recording.ask(`kill "${'y'.repeat(257)}"`);
      await recording.ask('verb 3');
      await client.stop();
      await recording.hear(DISCONNECT);
      return recording;
    },
  },
  twins: {
    about:
      'over IPv6 from one host, under duplicate-cn: real addresses have no port, so three clients look alike in status 3 but for their names, of which two are one; the latest of that name has the subnet',
    run: async (lab) => {
      await using server = await lab.serve({
        transport: 'udp6',
        duplicateCn: true,
        management: { clientAuth: true },
        clients: { site: { subnets: ['203.0.113.0 255.255.255.128'] } },
      });
      const recording = await Recording.open(server.managementSocket);
      await greet(recording);
      const dial = async (name: string, device: string): Promise<OpenVpnClient> => {
        const client = await lab.dial(name, { transport: 'udp6', remote: '2001:db8:1::1', device });
        await accept(recording);
        await recording.hear(ESTABLISHED);
        return client;
      };
      await using other = await dial('other', 'tun0');
      await using first = await dial('site', 'tun1');
      await using second = await dial('site', 'tun2');
      await recording.askRows('status 3');
      await second.stop();
      await recording.hear(DISCONNECT);
      await recording.askRows('status 3');
      await Promise.all([other.stop(), first.stop()]);
      return recording;
    },
  },
  'no-address': {
    about:
      'a server that gives out no addresses: one client with subnets alone; one with halves of everything, which status 3 writes without their zeros; one that has nothing; status 1 too',
    run: async (lab) => {
      const clients = {
        site: SUBNETS,
        halves: { subnets: ['0.0.0.0 128.0.0.0', '128.0.0.0 128.0.0.0'], subnets6: ['::/1', '8000::/1'] },
      };
      await using server = await OpenVpnServer.start({
        namespace: lab.server,
        pki: lab.pki,
        identity: await lab.pki.issue('server', 'server'),
        transport: 'udp4',
        network: '198.51.100.0 255.255.255.0 nopool',
        management: { clientAuth: true },
        clients,
      });
      const recording = await Recording.open(server.managementSocket);
      await greet(recording);
      await using site = await lab.dial('site');
      await accept(recording);
      await recording.hear(ESTABLISHED);
      await using halves = await lab.dial('halves', { namespace: lab.far });
      await accept(recording);
      await recording.hear(ESTABLISHED);
      await using nothing = await lab.dial('nothing', { device: 'tun1' });
      await accept(recording);
      await recording.hear(ESTABLISHED);
      await recording.askRows('status 3');
      await recording.askRows('status 1');
      await Promise.all([site.stop(), halves.stop(), nothing.stop()]);
      return recording;
    },
  },
};

const [directory = '.', ...wanted] = process.argv.slice(2);
const version = execFileSync('sh', ['-c', 'openvpn --version | head -1'], { encoding: 'utf8' })
  .split(' ')
  .slice(0, 2)
  .join(' ');
for (const [name, { about, run }] of Object.entries({ ...SERVER_SCENARIOS, ...CLIENT_SCENARIOS })) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  await using lab = await RecordingLab.create();
  using recording = await run(lab);
  await writeFile(
    path.join(directory, `${name}.txt`),
    recording.transcript(lab.pki.directory).format(`${version}; recorded by record.ts, scenario ${name}:\n${about}`),
  );
  console.log(`recorded ${name}`);
}
