/**
 * The counters of /proc/net/gwmark/stats: GWMARK_STATS of module/include/uapi/gwmark.h, which says what each counts. A newer module
 * may have more; a test compares this list with the header.
 */
export const MODULE_COUNTERS = [
  'learn_new', 'learn_known', 'learn_changed', 'learn_no_conntrack', 'learn_related', 'learn_no_ethernet', 'learn_bridged', 'learn_bad_mac', 'learn_onlink', 'learn_too_late', 'learn_no_memory', 'learn_table_full',
  'return_sent', 'return_no_conntrack', 'return_no_gateway', 'return_gateway_gone', 'return_device_down', 'return_bridged', 'return_not_unicast', 'return_forwarding_off', 'return_options', 'return_no_family', 'return_policy_drop', 'return_ttl_exceeded', 'return_too_big', 'return_no_memory',
  'uplink_sent', 'uplink_routed', 'uplink_none',
  'output_sent', 'output_no_conntrack', 'output_no_gateway', 'output_gateway_gone', 'output_device_down', 'output_not_unicast', 'output_no_family',
  'transmit_frames', 'transmit_fragmented', 'transmit_segmented', 'transmit_too_big', 'transmit_gateway_gone', 'transmit_no_memory', 'transmit_no_header', 'transmit_cgroup',
  'capture_taken', 'capture_no_bridge', 'capture_bridge_down', 'capture_no_vlan', 'capture_not_ip',
  'move_claim', 'move_frame', 'move_control', 'move_limited', 'move_virtual',
  'gateway_added', 'gateway_removed', 'gateway_table_full', 'gateway_no_memory',
  'control_refused',
  'learn_answer', 'learn_renewed',
  'move_answer', 'move_kept',
] as const;

/** Why a selected packet was not learnt, sent or captured, and took the normal route instead. */
const FALL_THROUGH: ReadonlySet<string> = new Set<(typeof MODULE_COUNTERS)[number]>([
  'learn_no_conntrack', 'learn_related', 'learn_no_ethernet', 'learn_bridged', 'learn_bad_mac', 'learn_onlink', 'learn_too_late', 'learn_no_memory', 'learn_table_full',
  'return_no_conntrack', 'return_no_gateway', 'return_gateway_gone', 'return_device_down', 'return_bridged', 'return_not_unicast', 'return_forwarding_off', 'return_options', 'return_no_family',
  'uplink_routed', 'uplink_none',
  'output_no_conntrack', 'output_no_gateway', 'output_gateway_gone', 'output_device_down', 'output_not_unicast', 'output_no_family',
  'capture_no_bridge', 'capture_bridge_down', 'capture_no_vlan', 'capture_not_ip',
]);

/** Whether the counter of this name is a reason for packets of VPN flows to take the normal route. */
export function isFallThrough(name: string): boolean {
  return FALL_THROUGH.has(name);
}
