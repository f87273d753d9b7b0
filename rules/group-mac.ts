/**
 * MAC addresses that routers of a group share: VRRP for IPv4 and IPv6 (RFC 9568, section 7.3; CARP uses the same),
 * HSRP versions 1 and 2, and HSRP for IPv6.
 */
const GROUP_MAC =
  /^(?:00:00:5e:00:0[12]:[0-9a-f]{2}|00:00:0c:07:ac:[0-9a-f]{2}|00:00:0c:9f:f[0-9a-f]:[0-9a-f]{2}|00:05:73:a0:0[0-9a-f]:[0-9a-f]{2})$/;

/** Whether a MAC address (lower case, colons) belongs to a group of routers, and moves with its master. */
export function isGroupMac(mac: string): boolean {
  return GROUP_MAC.test(mac);
}
