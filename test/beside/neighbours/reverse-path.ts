import type { Neighbour } from '../neighbour.js';
import type { Scene } from '../scene.js';

const GROUP = 'Reverse-path filters';

async function nft(scene: Scene, ruleset: string): Promise<void> {
  await scene.endpoint.run(['nft', '-f', '-'], { input: ruleset });
}

/** A chain of another program that drops what its `fib` expression finds no way back for. */
const fibRule =
  (match: string) =>
  async (scene: Scene): Promise<void> =>
    await nft(
      scene,
      `table inet other {\n chain rpfilter {\n type filter hook prerouting priority raw + 10; policy accept;\n icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept\n ${match} drop\n }\n}\n`,
    );

const iptablesRule =
  (...options: readonly string[]) =>
  async (scene: Scene): Promise<void> => {
    for (const program of ['iptables', 'ip6tables'])
      await scene.endpoint.run([
        program,
        '-w',
        '5',
        '-t',
        'mangle',
        '-A',
        'PREROUTING',
        '-m',
        'rpfilter',
        ...options,
        '--invert',
        '-j',
        'DROP',
      ]);
  };

const WITHOUT_MARK: Neighbour['limit'] = {
  reason: 'such a rule looks up the route back without the mark that selects the gateway',
  isClientless: true,
  named: [{ by: 'doctor', check: 'path-filters', severity: 'error', text: /without the mark/ }],
};

export const REVERSE_PATH_NEIGHBOURS: readonly Neighbour[] = [
  { name: 'strict rp_filter', group: GROUP, isQuick: true, lab: () => ({ rpFilter: 1 }) },
  { name: 'loose rp_filter', group: GROUP, lab: () => ({ rpFilter: 2 }) },
  {
    name: 'strict rp_filter on two legs, LAN and WAN',
    group: GROUP,
    lab: () => ({ rpFilter: 1, hasTwoLegs: true }),
    prepare: async (scene) => scene.hasTwoLegs(),
  },
  {
    name: 'a reverse-path filter of nftables: fib saddr . mark . iif',
    group: GROUP,
    isQuick: true,
    prepare: fibRule('fib saddr . mark . iif oif missing'),
  },
  {
    name: 'a reverse-path filter of nftables without the mark: fib saddr . iif',
    group: GROUP,
    prepare: fibRule('fib saddr . iif oif missing'),
    limit: WITHOUT_MARK,
  },
  {
    name: 'a reverse-path filter of iptables: -m rpfilter --validmark',
    group: GROUP,
    prepare: iptablesRule('--validmark'),
  },
  {
    name: 'a reverse-path filter of iptables without the mark: -m rpfilter',
    group: GROUP,
    prepare: iptablesRule(),
    limit: WITHOUT_MARK,
  },
];
