// SPDX-License-Identifier: GPL-2.0
/* Questions about the addresses of a packet, for either family. */

#include <linux/if_arp.h>
#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <net/addrconf.h>
#include <net/ip6_route.h>
#include <net/ip_fib.h>
#include <net/ipv6.h>
#include <net/route.h>

#include "address.h"

static bool onlink4(const struct net_device *dev, __be32 addr)
{
	const struct in_device *in_dev = __in_dev_get_rcu(dev);
	const struct in_ifaddr *ifa;

	if (!in_dev)
		return false;
	in_dev_for_each_ifa_rcu(ifa, in_dev)
		if (inet_ifa_match(addr, ifa))
			return true;
	return false;
}

/* Does a route lead to the address on the device itself? A default route is not meant. */
static bool onlink_route4(const struct net_device *dev, __be32 addr)
{
	struct fib_result res;
	struct flowi4 fl4 = {
		.daddr = addr,
		.flowi4_oif = dev->ifindex,
		.flowi4_scope = RT_SCOPE_UNIVERSE,
	};

	return !fib_lookup(dev_net(dev), &fl4, &res, 0) && res.type == RTN_UNICAST &&
	       res.prefixlen && !res.nhc->nhc_gw_family && FIB_RES_DEV(res) == dev;
}

static bool onlink_route6(struct net_device *dev, const struct in6_addr *addr)
{
	struct rt6_info *rt6 = rt6_lookup(dev_net(dev), addr, NULL, dev->ifindex, NULL, 0);
	bool onlink;

	if (!rt6)
		return false;
	onlink = !rt6->dst.error && !(rt6->rt6i_flags & (RTF_GATEWAY | RTF_LOCAL)) &&
		 rt6->rt6i_dst.plen && rt6->dst.dev == dev;
	ip6_rt_put(rt6);
	return onlink;
}

/**
 * gwmark_address_source_onlink() - is the source on the link that it came from?
 * @skb: received packet
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * Context: RCU read section.
 * Return: true if an address of the device has the source in its prefix, if a route
 * says that it is there, or if the source is link-local: ARP or ND find it.
 */
bool gwmark_address_source_onlink(const struct sk_buff *skb, u8 family)
{
	const struct in6_addr *addr;

	if (family == NFPROTO_IPV4)
		return onlink4(skb->dev, ip_hdr(skb)->saddr) ||
		       onlink_route4(skb->dev, ip_hdr(skb)->saddr);
	addr = &ipv6_hdr(skb)->saddr;
	return ipv6_addr_type(addr) & IPV6_ADDR_LINKLOCAL ||
	       ipv6_chk_prefix(addr, skb->dev) || onlink_route6(skb->dev, addr);
}

/**
 * gwmark_address_forwarding() - does this host forward what came from a device?
 * @net: namespace
 * @dev: the device
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * Context: RCU read section.
 */
bool gwmark_address_forwarding(struct net *net, const struct net_device *dev, u8 family)
{
	struct in_device *in_dev;

	if (family == NFPROTO_IPV6)
		return READ_ONCE(net->ipv6.devconf_all->forwarding);
	in_dev = __in_dev_get_rcu(dev);
	return in_dev && IN_DEV_FORWARD(in_dev);
}

/**
 * gwmark_address_unicast() - can the destination be reached through a gateway?
 * @skb: packet
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * Return: false for multicast, broadcast, loopback and link-local ones.
 */
bool gwmark_address_unicast(const struct sk_buff *skb, u8 family)
{
	__be32 addr;

	if (family == NFPROTO_IPV6)
		return !(ipv6_addr_type(&ipv6_hdr(skb)->daddr) &
			 (IPV6_ADDR_MULTICAST | IPV6_ADDR_LOOPBACK | IPV6_ADDR_LINKLOCAL));
	addr = ip_hdr(skb)->daddr;
	return !ipv4_is_multicast(addr) && !ipv4_is_lbcast(addr) &&
	       !ipv4_is_loopback(addr) && !ipv4_is_zeronet(addr);
}

static bool routed4(struct net *net, struct sk_buff *skb)
{
	struct fib_result res;
	struct flowi4 fl4 = {
		.daddr = ip_hdr(skb)->daddr,
		.saddr = ip_hdr(skb)->saddr,
		.flowi4_iif = skb->dev->ifindex,
		.flowi4_mark = skb->mark,
		.flowi4_scope = RT_SCOPE_UNIVERSE,
	};

	return !fib_lookup(net, &fl4, &res, 0);
}

static bool routed6(struct net *net, struct sk_buff *skb)
{
	struct dst_entry *dst;
	struct flowi6 fl6 = {
		.daddr = ipv6_hdr(skb)->daddr,
		.saddr = ipv6_hdr(skb)->saddr,
		.flowi6_iif = skb->dev->ifindex,
		.flowi6_mark = skb->mark,
	};
	bool routed;

	dst = ip6_route_lookup(net, &fl6, skb, 0);
	routed = !dst->error;
	dst_release(dst);
	return routed;
}

/**
 * gwmark_address_routed() - has this host a route for a received packet?
 * @net: namespace
 * @skb: packet at the end of PRE_ROUTING
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * Context: RCU read section.
 * Return: true if so, or if the destination is this host.
 */
bool gwmark_address_routed(struct net *net, struct sk_buff *skb, u8 family)
{
	return family == NFPROTO_IPV4 ? routed4(net, skb) : routed6(net, skb);
}

/**
 * gwmark_address_explained() - does the route of a packet of this host lead anywhere?
 * @skb: packet in LOCAL_OUT, with the dst that routing gave it
 * @out: device of that dst
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * A socket needs a route before netfilter sees its packet. If there is none, a
 * default route to the bare wire is there for that: a device, no next hop, and a
 * destination that is not on the link. Any other route is meant. Packets of kernel
 * tunnels come with the mark of what they carry; their routes are meant, too.
 *
 * Context: RCU read section.
 */
bool gwmark_address_explained(const struct sk_buff *skb, const struct net_device *out,
			      u8 family)
{
	const struct rt6_info *rt6;

	if (out->type != ARPHRD_ETHER)
		return true;
	if (family == NFPROTO_IPV4)
		return skb_rtable(skb)->rt_gw_family || onlink4(out, ip_hdr(skb)->daddr);
	rt6 = container_of(skb_dst(skb), struct rt6_info, dst);
	return rt6->rt6i_flags & RTF_GATEWAY ||
	       ipv6_chk_prefix(&ipv6_hdr(skb)->daddr, (struct net_device *)out);
}

/**
 * gwmark_address_ethernet() - has a received packet an Ethernet header?
 * @skb: packet
 *
 * A tun device sets the MAC header too, with a length of 0, and so may others.
 */
bool gwmark_address_ethernet(const struct sk_buff *skb)
{
	return skb->dev->type == ARPHRD_ETHER && skb->dev->addr_len == ETH_ALEN &&
	       skb_mac_header_was_set(skb) &&
	       skb_network_offset(skb) - skb_mac_offset(skb) >= ETH_HLEN;
}
