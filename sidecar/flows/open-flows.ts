import type { Settings } from '../config/settings.js';
import { statusOfSidecarHere } from '../control/sidecar-here.js';
import { policyOf } from '../config/policy.js';
import { parseModuleGateway, readRecords } from '../datapath/module/proc.js';
import { gatewayNeighbours } from '../datapath/nexthop/adoption.js';
import { readRouting } from '../routing/plan.js';
import { GwmarkError } from '../errors.js';
import type { StatusDocument } from '../status.js';
import { conntrackFlows } from './conntrack-flows.js';
import type { FlowSource } from './flow.js';
import { moduleFlows } from './module-flows.js';

/**
 * Finds out where the flows of this network namespace are. The running sidecar says by which datapath and marks it
 * works; the flows themselves are always read from the kernel, so that a long list costs the sidecar nothing. Where no
 * sidecar answers, what an earlier run left is found by the settings: flows continue without it.
 *
 * @throws GwmarkError NOT_RUNNING if there is neither, CONTROL_NAMESPACE if the sidecar runs in another network
 * namespace
 */
export async function openFlows(settings: Settings): Promise<FlowSource> {
  const status = await statusOfSidecarHere(settings.controlSocket);
  return status === null ? leftInKernel(settings) : ofSidecar(status);
}

function ofSidecar({ datapath, markMask, ...status }: StatusDocument): FlowSource {
  const gateways = new Map(status.gateways.map(({ id, device, mac }) => [id, { device, mac }]));
  const flows = datapath === 'module' ? moduleFlows : () => conntrackFlows({ markMask });
  return { datapath, isSidecarRunning: true, gateways, flows };
}

async function leftInKernel(settings: Settings): Promise<FlowSource> {
  const config: readonly string[] = await readRecords('config').catch(() => []);
  if (config.includes('enabled 1')) {
    const known = (await readRecords('gateways')).map(parseModuleGateway).filter((gateway) => gateway !== null);
    return {
      datapath: 'module',
      isSidecarRunning: false,
      gateways: new Map(known.map(({ id, device, send }) => [id, { device, mac: send }])),
      flows: moduleFlows,
    };
  }
  const policy = policyOf(settings);
  const plan = await readRouting(policy);
  if (plan.rules.length === 0) {
    throw new GwmarkError(
      'NOT_RUNNING',
      `gwmark has nothing installed in this network namespace: no sidecar answers at ${settings.controlSocket}, no ip rule has the protocol ${settings.routing.protocol}, and the kernel module is not enabled`,
    );
  }
  return {
    datapath: 'nexthop',
    isSidecarRunning: false,
    gateways: gatewayNeighbours(policy, plan),
    flows: () => conntrackFlows(policy),
  };
}
