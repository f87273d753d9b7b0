import type { TraceReading } from './reading.js';
import type { Role } from './role.js';
import type { Steps, Stopped } from './trace.js';

/** The gateway that packets go to. */
export interface Target {
  readonly id: number;
  readonly device: string;
  /** Where they are sent now. */
  readonly mac: string;
}

/** @param mark with which packets take the normal route if the device is down */
export function findDevice(
  { allDevices }: TraceReading,
  target: Target,
  mark: number,
  steps: Steps,
): Stopped | undefined {
  const device = allDevices.find(({ ifname }) => ifname === target.device);
  if (device === undefined)
    return steps.stop(
      'device',
      `gateway ${target.id} is down: ${target.device} is gone`,
      'plug it in again; gwmark learns its router again',
      mark,
    );
  if (!device.flags.includes('UP'))
    return steps.stop(
      'device',
      `gateway ${target.id} is down: ${target.device} is down`,
      `ip link set ${target.device} up`,
      mark,
    );
  if (!device.flags.includes('LOWER_UP'))
    return steps.stop(
      'device',
      `gateway ${target.id} is down: ${target.device} has no carrier`,
      'check its cable and the switch',
      mark,
    );
  steps.pass('device', `${target.device} is up`);
  return undefined;
}

/** Checked for packets from a tunnel; what the endpoint sends itself needs no forwarding. */
export function findForwarding(
  { unforwarded }: TraceReading,
  { tunnel }: Role,
  mark: number,
  steps: Steps,
): Stopped | undefined {
  if (tunnel === null) return undefined;
  if (unforwarded.has(tunnel))
    return steps.stop(
      'forwarding',
      `the kernel does not forward packets from ${tunnel}`,
      'let gwmark run enable it (sysctl: manage), or see gwmark doctor',
      mark,
    );
  steps.pass('forwarding', `the kernel forwards packets from ${tunnel}`);
  return undefined;
}
