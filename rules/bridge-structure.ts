import type { Statement } from 'nftables-json';
import { ABOUT_CHAIN } from './about.js';
import { aboutRules, clientSets, matchVpnDestinations } from './selection.js';
import { matchExempt } from './sources.js';
import type { ChainSpec, RuleSpec, Structure } from './structure.js';
import { baseChain } from './structure.js';
import type { Site } from './world.js';
import { setModuleMark } from './module-structure.js';

/**
 * Our bridge table for an inline endpoint, datapath `module`: frames for VPN addresses, the endpoint's own among them,
 * get the mark before the bridge decides on them, and the module captures them off the bridge. Every other frame
 * passes untouched.
 *
 * @param bridges names of the bridges that are links of the endpoint; at least one
 */
export function compileBridgeStructure(site: Site, bridges: readonly string[]): Structure {
  const chains = new Map<string, ChainSpec>([
    ['prerouting', baseChain('prerouting', -150, captureRules(site, bridges))],
    [ABOUT_CHAIN, { base: {}, rules: aboutRules({ ...site, savedSysctls: [], transports: [] }) }],
  ]);
  return { sets: clientSets(site.subnetLengths), chains, verdicts: new Map() };
}

function captureRules(site: Site, bridges: readonly string[]): RuleSpec[] {
  const [only] = bridges;
  const right = bridges.length === 1 && only !== undefined ? only : { set: [...bridges] };
  const onBridge: Statement = { match: { op: '==', left: { meta: { key: 'ibrname' } }, right } };
  const exempt = matchExempt(
    site.sources?.clients,
    bridges.map((device) => ({ device })),
    'ibrname',
  );
  return [
    // What is not learnt from is not captured: it passes, and its answers with it.
    ...exempt.map((matches) => ({ expr: [...matches, { accept: null }] })),
    ...matchVpnDestinations(site).map((match) => ({ expr: [onBridge, match, setModuleMark(site.policy)] })),
  ];
}
