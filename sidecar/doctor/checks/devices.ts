import { isVrfMember } from '../../discovery/devices.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';
import type { DeviceDetails } from '../system.js';

interface Facts {
  readonly devices: readonly DeviceDetails[];
  /** The setting `devices`; empty: every Ethernet device. */
  readonly wanted: readonly string[];
}

/** There is a link on which gateways can be learnt. */
export const devices: Check = {
  name: 'devices',
  doc: 'The devices of the setting `devices` exist, are Ethernet devices that are up, are not part of a bridge, bond or VRF, and have an address; without the setting, at least one such device exists.',
  needsNetAdmin: false,
  look: async (system) => judgeDevices({ devices: await system.devices(), wanted: system.settings.devices }),
};

export function judgeDevices({ devices: all, wanted }: Facts): readonly Judgement[] {
  if (wanted.length > 0)
    return wanted.map((name) =>
      judgeWanted(
        name,
        all.find(({ ifname }) => ifname === name),
      ),
    );
  const links = all.filter(
    ({ link_type, master, ifname, linkinfo }) =>
      link_type === 'ether' && master === undefined && ifname !== 'lo' && linkinfo?.info_kind !== 'vrf',
  );
  const judged = links.map((link) => judgeLink(link));
  const usable = judged.filter(({ severity }) => severity === 'ok');
  // Devices that are not in the settings may be down on purpose.
  const members = all
    .filter(isVrfMember)
    .map((device) => judgeVrfMember(device, usable.length > 0 ? 'info' : 'error'));
  if (usable.length > 0) return [...usable, ...members];
  if (members.length > 0) return members;
  const found =
    judged.length === 0
      ? 'no Ethernet device'
      : judged.map(({ subject, found: why }) => `${subject} ${why}`).join('; ');
  return [
    {
      severity: 'error',
      subject: 'links',
      found,
      expected: 'an Ethernet device that is up and has an address',
      remedy: 'bring the link up and give it its address (ip link set DEV up; ip address add ADDRESS dev DEV)',
    },
  ];
}

function judgeWanted(name: string, device: DeviceDetails | undefined): Judgement {
  const subject = `device ${name}`;
  const expected = 'an Ethernet device that is up and has an address';
  const remedy = 'compare the setting devices with "ip link"';
  if (device === undefined) return { severity: 'error', subject, found: 'does not exist', expected, remedy };
  if (device.link_type !== 'ether')
    return {
      severity: 'error',
      subject,
      found: `is not an Ethernet device (link type ${device.link_type})`,
      expected,
      remedy,
    };
  if (isVrfMember(device)) return judgeVrfMember(device, 'error');
  if (device.master !== undefined)
    return {
      severity: 'error',
      subject,
      found: `is part of ${device.master}`,
      expected,
      remedy: `name ${device.master} in the setting devices`,
    };
  return judgeLink(device);
}

function judgeVrfMember({ ifname, master = '' }: DeviceDetails, severity: 'info' | 'error'): Judgement {
  return {
    severity,
    subject: `device ${ifname}`,
    found: `is in VRF ${master}: gwmark learns no gateway on it, because its routes are in tables that neither OpenVPN's sockets nor gwmark's rules use`,
    expected: 'no VRF',
    remedy:
      severity === 'info'
        ? null
        : `remove it from the VRF (ip link set ${ifname} nomaster; systemd-networkd: no VRF= in its .network), or move the device and OpenVPN into their own network namespace`,
  };
}

function judgeLink({ ifname, flags, addr_info = [] }: DeviceDetails): Judgement {
  const subject = `device ${ifname}`;
  const expected = 'up, with an address';
  if (!flags.includes('UP'))
    return { severity: 'error', subject, found: 'is down', expected, remedy: `ip link set ${ifname} up` };
  if (!flags.includes('LOWER_UP'))
    return {
      severity: 'error',
      subject,
      found: 'has no carrier',
      expected,
      remedy: 'plug the cable in; check the switch port',
    };
  const addresses = addr_info
    .filter(({ scope }) => scope === 'global')
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
  if (addresses.length === 0)
    return {
      severity: 'error',
      subject,
      found: 'has no address',
      expected,
      remedy: `ip address add ADDRESS dev ${ifname}`,
    };
  return fine(subject, `up, ${addresses.join(' ')}`, expected);
}
