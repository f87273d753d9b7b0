import type { Neighbour, Policy, PolicyRule, Route } from '../../rules/index.js';

/** Numbers, because `ip` knows names only where there is an /etc/protocols. */
export const IP_PROTOCOLS: Readonly<Record<NonNullable<PolicyRule['ipproto']>, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  'ipv6-icmp': 58,
};

/** The line by which ip(8) installs a neighbour of ours. */
export function neighbourLine(policy: Policy, neighbour: Neighbour): string {
  // A neighbour that waits is not to be dropped to make room: NTF_EXT_LEARNED.
  const state = neighbour.mac === null ? 'nud incomplete extern_learn' : 'nud permanent';
  return `neigh replace ${printNeighbour(neighbour)} ${state} protocol ${policy.routing.protocol}`;
}

/** As `ip neigh replace` takes it. */
export function printNeighbour({ address, mac, device }: Neighbour): string {
  return mac === null ? `${address} dev ${device}` : `${address} lladdr ${mac} dev ${device}`;
}

/** As `ip route replace` and `ip route del` take it. */
export function printRoute(policy: Policy, { destination, via, device, devices, table }: Route): string {
  if (device === '') return `throw ${destination} table ${table} proto ${policy.routing.protocol}`;
  if (devices !== undefined)
    return `${destination} table ${table} proto ${policy.routing.protocol} ${devices.map((leg) => `nexthop dev ${leg}`).join(' ')}`;
  const hop = via === undefined ? '' : `via ${via} `;
  const onlink = via === undefined ? '' : ' onlink';
  return `${destination} ${hop}dev ${device}${onlink} table ${table} proto ${policy.routing.protocol}`;
}

/** As `ip rule add` and `ip rule del` take it. */
export function printRule(policy: Policy, rule: PolicyRule): string {
  const words = ['pref', rule.priority];
  if (rule.from !== undefined) words.push('from', rule.from);
  if (rule.to !== undefined) words.push('to', rule.to);
  if (rule.iif !== undefined) words.push('iif', rule.iif);
  if (rule.fwmark !== undefined) words.push('fwmark', `${hex(rule.fwmark.value)}/${hex(rule.fwmark.mask)}`);
  if (rule.ipproto !== undefined) words.push('ipproto', IP_PROTOCOLS[rule.ipproto]);
  if (rule.sport !== undefined) words.push('sport', rule.sport);
  if (rule.dport !== undefined) words.push('dport', `${rule.dport[0]}-${rule.dport[1]}`);
  if (rule.goto !== undefined) words.push('goto', rule.goto);
  else if (rule.table === 0) words.push('nop');
  else words.push('lookup', rule.table);
  if (rule.suppressPrefixLength !== undefined) words.push('suppress_prefixlength', rule.suppressPrefixLength);
  return [...words, 'protocol', policy.routing.protocol].join(' ');
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
