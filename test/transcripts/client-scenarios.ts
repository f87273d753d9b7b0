import { Recording } from './recording.js';
import { greet, type Scenarios } from './recording-lab.js';

const CONNECTED = />STATE:[^\r]*,CONNECTED,[^\r]*\r\n/;
/** What a server pushes to its clients. */
const PUSHED = [
  'route 203.0.113.0 255.255.255.128',
  'route 203.0.113.200',
  'route 203.0.113.192 255.255.255.248 vpn_gateway',
  'route 192.0.2.0 255.255.255.0 net_gateway',
  'route-ipv6 2001:db8:77::/64',
  'redirect-gateway def1',
];
const MANY = Array.from({ length: 60 }, (_, index) => [
  `route 198.18.${index}.0 255.255.255.0`,
  `route-ipv6 2001:db8:${(0x7000 + index).toString(16)}::/48`,
]).flat();

/** Beside an OpenVPN client. */
export const CLIENT_SCENARIOS: Scenarios = {
  'client-hold': {
    about:
      'a client (--client) under management-hold: what it answers before it begins, its states, PUSH_REPLY, status, SIGUSR1, its end',
    run: async (lab) => {
      await using server = await lab.serve({ push: PUSHED });
      await using client = await lab.dial('site', { management: { hold: true }, extra: [] });
      const recording = await Recording.open(client.managementSocket);
      await recording.hear(/>HOLD:[^\r]*\r\n/);
      await recording.askRows('version');
      await recording.ask('env-filter 0');
      await recording.askRows('state on all');
      await recording.askRows('status 3');
      await recording.askRows('remote-entry-count');
      await recording.askRows('remote-entry-get all');
      await recording.askRows('log on all');
      await recording.ask('hold release');
      await recording.hear(CONNECTED);
      await recording.askRows('status 3');
      await recording.askRows('remote-entry-get all');
      await recording.ask('signal SIGUSR1');
      await recording.hear(/>HOLD:[^\r]*\r\n/);
      await recording.askRows('status 3');
      await recording.ask('hold release');
      await recording.hear(CONNECTED);
      await client.stop();
      await recording.ended();
      await server.stop();
      return recording;
    },
  },
  'client-late': {
    about:
      'the management client comes to a connected OpenVPN client: many pushed routes in several PUSH_REPLY pieces, some filtered',
    run: async (lab) => {
      await using server = await lab.serve({ push: [...PUSHED, ...MANY] });
      await using client = await lab.dial('site', {
        management: {},
        extra: ['pull-filter ignore "route 198.18.7."', 'pull-filter ignore "route-ipv6 2001:db8:7007"'],
      });
      await client.connected();
      const recording = await Recording.open(client.managementSocket);
      await greet(recording);
      await recording.askRows('status 3');
      await recording.askRows('log on all');
      await recording.askRows('remote-entry-get all');
      await client.stop();
      await recording.ended();
      await server.stop();
      return recording;
    },
  },
  'client-nopull': {
    about: 'a client with route-nopull over TCP, whose server is not there at first',
    run: async (lab) => {
      const options = { transport: 'tcp4', push: PUSHED } as const;
      const client = await lab.dial('site', {
        management: {},
        transport: 'tcp4',
        extra: ['route-nopull', 'route 198.51.100.77'],
      });
      const recording = await Recording.open(client.managementSocket);
      await greet(recording);
      await recording.askRows('log on all');
      await recording.askRows('status 3');
      await recording.hear(/>STATE:[^\r]*TCP_CONNECT[^\r]*\r\n/);
      await using server = await lab.serve(options);
      await recording.hear(CONNECTED);
      await recording.askRows('status 3');
      await client.stop();
      await recording.ended();
      await server.stop();
      return recording;
    },
  },
};
