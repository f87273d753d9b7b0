import type { Nftables } from 'nftables-json';

import { compileCableStructure, diffStructure, NOTHING, type Policy } from '../../../rules/index.js';
import { cableOf, keepsVlansApart, readUntaggedVlans, type UntaggedVlans } from '../../discovery/cables.js';
import type { IpDevice } from '../../routing/iproute.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

interface Facts {
  readonly datapath: 'nexthop' | 'module';
  readonly firewall: 'nftables' | 'iptables';
  readonly devices: readonly IpDevice[];
  /** The setting. */
  readonly inline: 'auto' | 'off';
  /** Names of the devices on which gateways are learnt. */
  readonly links: readonly string[];
  readonly untagged: UntaggedVlans;
  /** Why the kernel does not take the table for frames; null if it does, or was not asked. */
  readonly refusal: string | null;
}

const EXPECTED = 'frames for the VPN are captured at every port, if the endpoint is inline';

/** Which frames that cross a bridge of the endpoint are captured. */
export const inline: Check = {
  name: 'inline',
  doc: 'Frames for the VPN that cross a bridge of the endpoint are captured at all its ports, and those with a tag of its VLAN devices. Without the module: iptables captures none; with `vlan_filtering`, only untagged frames, at ports whose PVID is that of the bridge; no frames of 802.1ad. The check asks the kernel whether it has tables of family bridge, without installing one.',
  needsNetAdmin: true,
  look: async (system) => {
    const devices = await system.devices();
    const datapath = await system.datapath();
    const firewall = await system.firewall();
    const isAsked = datapath === 'nexthop' && firewall === 'nftables' && devices.some(isPort);
    return judgeInline({
      datapath,
      firewall,
      devices,
      inline: system.settings.inline,
      links: (await system.links()).map(({ ifname }) => ifname),
      untagged: await readUntaggedVlans(devices),
      refusal: isAsked ? await probeFrames(await system.nftables(), system.policy) : null,
    });
  },
};

function isPort({ linkinfo }: IpDevice): boolean {
  return linkinfo?.info_slave_kind === 'bridge';
}

/** Why the kernel refuses what gwmark would install for a bridge with one port; null if it does not. */
export async function probeFrames(nft: Pick<Nftables, 'check'>, policy: Policy): Promise<string | null> {
  const mac = '02:00:00:00:00:01';
  const structure = compileCableStructure({
    policy,
    tunnels: [],
    transports: [],
    links: [
      {
        device: 'br0',
        addresses: [],
        onlink: [],
        families: [4, 6],
        hasReversePathFilter: false,
        isBridge: true,
        cable: { mac, ports: [{ device: 'p1', mac }], vlan: null },
      },
    ],
    gateways: [],
    uplink: null,
    subnetLengths: [],
    clientRouteFamilies: [],
    savedSysctls: [],
  });
  const { before, after } = diffStructure('gwmark_doctor', NOTHING, structure ?? NOTHING, 'bridge');
  return nft.check([...before, ...after]).then(
    () => null,
    (error: Error) => error.message.split('\n')[0] ?? '',
  );
}

export function judgeInline(facts: Facts): readonly Judgement[] {
  const { datapath, firewall, devices, links, untagged, refusal } = facts;
  if (facts.inline === 'off') return [fine('bridges', 'frames that cross them pass: inline is off', EXPECTED)];
  const onBridges = devices
    .filter(({ ifname }) => links.includes(ifname))
    .map((link) => ({ link, bridge: below(link) }));
  const judged = onBridges.flatMap(({ link, bridge }) => (bridge === null ? [] : judgeLink(link, bridge)));
  return judged.length > 0 ? judged : [fine('bridges', 'no link is a bridge', EXPECTED)];

  /** The bridge that a link is, or is a VLAN of. */
  function below(link: IpDevice): IpDevice | null {
    const isVlan = link.linkinfo?.info_kind === 'vlan';
    const device = isVlan ? devices.find(({ ifname }) => ifname === link.link) : link;
    return device?.linkinfo?.info_kind === 'bridge' ? device : null;
  }

  function judgeLink(link: IpDevice, bridge: IpDevice): readonly Judgement[] {
    const subject = `bridge ${bridge.ifname}${link === bridge ? '' : `, ${link.ifname}`}`;
    const ports = devices.filter(({ master }) => master === bridge.ifname).map(({ ifname }) => ifname);
    if (ports.length === 0) return [fine(subject, 'has no port: no frame crosses it', EXPECTED)];
    if (firewall === 'iptables')
      return [
        {
          severity: 'info',
          subject,
          found: 'frames that cross it are not captured: iptables has no rules for them',
          expected: EXPECTED,
          remedy: 'none needed if the endpoint is one-arm; else set firewall: nftables',
        },
      ];
    if (refusal !== null)
      return [
        {
          severity: 'warn',
          subject,
          found: `frames that cross it are not captured: the kernel refuses a table of family bridge (${refusal})`,
          expected: EXPECTED,
          remedy:
            'use a kernel with CONFIG_NF_TABLES_BRIDGE and load its module (nf_tables); none needed if the endpoint is one-arm',
        },
      ];
    if (datapath === 'module')
      return [fine(subject, 'the module captures frames for the VPN that cross it', EXPECTED)];
    const captured = cableOf(link, devices, untagged)?.ports.map(({ device }) => device) ?? [];
    const others = ports.filter((port) => !captured.includes(port));
    if (others.length === 0)
      return [fine(subject, `frames for the VPN are captured at ${ports.join(', ')}`, EXPECTED)];
    return [
      {
        severity: 'warn',
        subject,
        found: `frames for the VPN pass at ${others.join(', ')}: ${whyNot(link, bridge)}`,
        expected: EXPECTED,
        remedy: keepsVlansApart(bridge)
          ? 'see "bridge vlan": give these ports and the bridge the same PVID, or turn vlan_filtering off; none needed if the endpoint is one-arm'
          : 'use an 802.1Q device; none needed if the endpoint is one-arm',
      },
    ];
  }

  function whyNot(link: IpDevice, bridge: IpDevice): string {
    if (!keepsVlansApart(bridge)) return `${link.ifname} is a VLAN of 802.1ad`;
    if (link !== bridge) return `${bridge.ifname} has vlan_filtering, and gwmark captures only untagged frames there`;
    return `${bridge.ifname} has vlan_filtering, and its untagged frames are in VLAN ${untagged.get(bridge.ifname) ?? 'none'}, not in theirs`;
  }
}
