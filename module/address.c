// SPDX-License-Identifier: GPL-2.0
/* Questions about the addresses of a packet, for either family. */

#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/netfilter_bridge.h>
#include <linux/rtnetlink.h>
#include <net/addrconf.h>
#include <net/ip6_route.h>
#include <net/ip_fib.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/xfrm.h>

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
		return READ_ONCE(net->ipv6.devconf_all->forwarding) ||
		       ipv6_force_forwarding(__in6_dev_get(dev));
	in_dev = __in_dev_get_rcu(dev);
	return in_dev && IN_DEV_FORWARD(in_dev);
}

static int is_own(struct net_device *dev, struct netdev_nested_priv *priv)
{
	return ether_addr_equal(dev->dev_addr, priv->data);
}

/**
 * gwmark_address_own() - is a MAC one of this host's?
 * @dev: device whose frames it is about
 * @mac: the MAC
 *
 * Context: RCU read section.
 * Return: true if @dev has it, or a device below: a port of a bridge, a slave of a bond.
 */
bool gwmark_address_own(struct net_device *dev, const u8 *mac)
{
	struct netdev_nested_priv priv = { .data = (void *)mac };

	return ether_addr_equal(dev->dev_addr, mac) ||
	       netdev_walk_all_lower_dev_rcu(dev, is_own, &priv);
}

/**
 * gwmark_address_bridged() - does a received packet only pass through a bridge?
 * @skb: packet
 *
 * Under br_netfilter IP hooks see such frames, too.
 *
 * Context: RCU read section.
 */
bool gwmark_address_bridged(const struct sk_buff *skb)
{
	return nf_bridge_info_exists(skb) &&
	       !gwmark_address_own(skb->dev, eth_hdr(skb)->h_dest);
}

/* As __fib_validate_source(): does the way back to the source lead through the device? */
static bool reverse_path(struct net *net, const struct sk_buff *skb,
			 struct in_device *in_dev, int oif, bool strict)
{
	struct fib_result res;
	struct flowi4 fl4 = {
		.daddr = ip_hdr(skb)->saddr,
		.saddr = ip_hdr(skb)->daddr,
		.flowi4_iif = oif,
		.flowi4_mark = IN_DEV_SRC_VMARK(in_dev) ? skb->mark : 0,
		.flowi4_scope = RT_SCOPE_UNIVERSE,
	};

	if (fib_lookup(net, &fl4, &res, 0))
		return false;
	if (res.type != RTN_UNICAST &&
	    (res.type != RTN_LOCAL || !IN_DEV_ACCEPT_LOCAL(in_dev)))
		return false;
	if (fib_info_nh_uses_dev(res.fi, skb->dev))
		return true;
	return !strict && rcu_access_pointer(in_dev->ifa_list);
}

/**
 * gwmark_address_source_valid() - may a packet with this source be forwarded?
 * @net: namespace
 * @skb: received IPv4 packet; IPv6 has no such filter
 * @oif: device that it would leave through
 *
 * What ip_route_input() refuses ("martian source"): rp_filter, accept_local and
 * route_localnet of the device count.
 *
 * Context: RCU read section.
 */
bool gwmark_address_source_valid(struct net *net, const struct sk_buff *skb, int oif)
{
	struct in_device *in_dev = __in_dev_get_rcu(skb->dev);
	__be32 saddr = ip_hdr(skb)->saddr;
	unsigned int type;

	if (!in_dev || ipv4_is_multicast(saddr) || ipv4_is_lbcast(saddr) ||
	    ipv4_is_zeronet(saddr))
		return false;
	if (ipv4_is_loopback(saddr) && !IN_DEV_NET_ROUTE_LOCALNET(in_dev, net))
		return false;
	if (unlikely(IN_DEV_RPFILTER(in_dev)) && !skb_sec_path(skb))
		return reverse_path(net, skb, in_dev, oif, IN_DEV_RPFILTER(in_dev) == 1);
	type = inet_addr_type_dev_table(net, skb->dev, saddr);
	return type == RTN_UNICAST || (type == RTN_LOCAL && IN_DEV_ACCEPT_LOCAL(in_dev));
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

	return fib_lookup(net, &fl4, &res, 0) != -ENETUNREACH;
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
	routed = dst->error != -ENETUNREACH;
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
 * Return: true if so, or if the destination is this host. A route of the types
 * blackhole, unreachable and prohibit is one: it forbids.
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
