// SPDX-License-Identifier: GPL-2.0
/*
 * IPv6: forwarding a packet to a gateway, and the way out.
 *
 * ip6_forward() and ip6_finish_output() of the kernel are not exported; this is
 * their work in their order, for a packet whose next hop is a MAC.
 */

#include <linux/icmpv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv6.h>
#include <net/gso.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/xfrm.h>

#include "gateway.h"
#include "net.h"
#include "stats.h"
#include "transmit.h"

static bool too_big(const struct sk_buff *skb, unsigned int mtu)
{
	if (skb->len <= mtu)
		return false;
	/* conntrack joined fragments: the largest one counts, and ignore_df is set */
	if (IP6CB(skb)->frag_max_size && IP6CB(skb)->frag_max_size > mtu)
		return true;
	if (skb->ignore_df)
		return false;
	return !(skb_is_gso(skb) && skb_gso_validate_network_len(skb, mtu));
}

static int send_fragments(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	unsigned int max_size = IP6CB(skb)->frag_max_size;

	if (skb->len <= dst_mtu(skb_dst(skb)) && !(max_size && skb->len > max_size))
		return gwmark_transmit_frame(net, sk, skb);
	/* answers packet-too-big itself if the packet may not be cut */
	gwmark_stats_inc(gwmark_net_of(net), GWMARK_STAT_transmit_fragmented);
	return ip6_fragment(net, sk, skb, gwmark_transmit_frame);
}

/* After POST_ROUTING. */
static int output_finish(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	int congested = 0, ret;

	if (sk) {
		congested = gwmark_transmit_cgroup(net, sk, skb);
		if (congested < 0 || congested == NET_XMIT_DROP)
			return congested;
	}
	if (skb_is_gso(skb)) {
		if (skb_gso_validate_network_len(skb, dst_mtu(skb_dst(skb))))
			ret = gwmark_transmit_frame(net, sk, skb);
		else
			ret = gwmark_transmit_segments(net, sk, skb, send_fragments);
	} else {
		ret = send_fragments(net, sk, skb);
	}
	return ret ?: congested;
}

/**
 * gwmark_output6() - dst.output of a gateway
 * @net: namespace
 * @sk: sending socket, or NULL
 * @skb: packet; consumed
 *
 * Return: 0 or an error for the sender.
 */
int gwmark_output6(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	struct net_device *in = skb->dev;
	struct gwmark_gateway *gateway;
	int ret;

	rcu_read_lock();
	gateway = gwmark_transmit_gateway(gwmark_net_of(net), skb);
	if (unlikely(!gateway)) {
		ret = gwmark_transmit_drop(net, skb, GWMARK_STAT_transmit_gateway_gone,
					   -ENETUNREACH);
	} else {
		skb->dev = gateway->dev;
		skb->protocol = htons(ETH_P_IPV6);
		ret = NF_HOOK(NFPROTO_IPV6, NF_INET_POST_ROUTING, net, sk, skb, in,
			      gateway->dev, output_finish);
	}
	rcu_read_unlock();
	return ret;
}

/* After FORWARD. */
static int forward_finish(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	__IP6_INC_STATS(net, NULL, IPSTATS_MIB_OUTFORWDATAGRAMS);
	skb_clear_tstamp(skb);
	return dst_output(net, sk, skb);
}

/* RFC 4291, 2.5: never forwarded by a router. */
static bool stays_on_link(const struct in6_addr *addr)
{
	return ipv6_addr_type(addr) & (IPV6_ADDR_MULTICAST | IPV6_ADDR_LOOPBACK |
				       IPV6_ADDR_LINKLOCAL) || ipv6_addr_any(addr);
}

/**
 * gwmark_forward6() - forward a received packet to a gateway
 * @gn: namespace
 * @skb: packet at the end of PRE_ROUTING
 * @gateway: where to; has an IPv6 dst
 * @sent: counter of success
 *
 * Context: RCU read section.
 * Return: NF_ACCEPT, @skb unchanged, if routing must do it; NF_DROP; or
 * NF_STOLEN.
 */
unsigned int gwmark_forward6(struct gwmark_net *gn, struct sk_buff *skb,
			     struct gwmark_gateway *gateway, enum gwmark_stat sent)
{
	const struct ipv6hdr *hdr = ipv6_hdr(skb);
	struct net_device *dev = gateway->dev;
	struct net *net = gn->net;
	unsigned int mtu;

	if (unlikely(stays_on_link(&hdr->daddr) || stays_on_link(&hdr->saddr))) {
		gwmark_stats_inc(gn, GWMARK_STAT_return_not_unicast);
		return NF_ACCEPT;
	}
	if (unlikely(hdr->nexthdr == NEXTHDR_HOP)) {
		gwmark_stats_inc(gn, GWMARK_STAT_return_options);
		return NF_ACCEPT;
	}
	if (unlikely(skb->sk || skb_warn_if_lro(skb)))
		return NF_ACCEPT;

	gwmark_transmit_attach(skb, &gateway->rt6->dst);
	if (unlikely(!READ_ONCE(net->ipv6.devconf_all->disable_policy) &&
		     !xfrm6_policy_check(NULL, XFRM_POLICY_FWD, skb))) {
		gwmark_stats_inc(gn, GWMARK_STAT_return_policy_drop);
		return NF_DROP;
	}
	skb_forward_csum(skb);
	if (unlikely(hdr->hop_limit <= 1)) {
		icmpv6_send(skb, ICMPV6_TIME_EXCEED, ICMPV6_EXC_HOPLIMIT, 0);
		gwmark_stats_inc(gn, GWMARK_STAT_return_ttl_exceeded);
		return NF_DROP;
	}
	mtu = max_t(unsigned int, dst_mtu(&gateway->rt6->dst), IPV6_MIN_MTU);
	if (unlikely(too_big(skb, mtu))) {
		icmpv6_send(skb, ICMPV6_PKT_TOOBIG, 0, mtu);
		gwmark_stats_inc(gn, GWMARK_STAT_return_too_big);
		return NF_DROP;
	}
	if (unlikely(skb_cow(skb, LL_RESERVED_SPACE(dev)))) {
		gwmark_stats_inc(gn, GWMARK_STAT_return_no_memory);
		return NF_DROP;
	}
	/* the header may have moved */
	ipv6_hdr(skb)->hop_limit--;

	gwmark_stats_inc(gn, sent);
	NF_HOOK(NFPROTO_IPV6, NF_INET_FORWARD, net, NULL, skb, skb->dev, dev,
		forward_finish);
	return NF_STOLEN;
}
