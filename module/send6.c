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
#include <net/addrconf.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/xfrm.h>

#include "gateway.h"
#include "net.h"
#include "send.h"
#include "stats.h"

static int send_fragments(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	unsigned int max_size = IP6CB(skb)->frag_max_size;

	if (skb->len <= dst_mtu(skb_dst(skb)) && !(max_size && skb->len > max_size))
		return gwmark_send_frame(net, sk, skb);
	/* answers packet-too-big itself if the packet may not be cut */
	gwmark_stats_inc(gwmark_net_of(net), GWMARK_STAT_transmit_fragmented);
	return ip6_fragment(net, sk, skb, gwmark_send_frame);
}

/* After POST_ROUTING. */
static int output_finish(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	const struct dst_entry *dst = skb_dst(skb);

	/* NAT brought the packet under a policy of IPsec */
	if (unlikely(dst_xfrm(dst))) {
		gwmark_stats_inc(gwmark_net_of(net), GWMARK_STAT_transmit_ipsec);
		IP6CB(skb)->flags |= IP6SKB_REROUTED;
		return dst_output(net, sk, skb);
	}
	return gwmark_send_finish(net, sk, skb, dst_mtu(dst), send_fragments);
}

/**
 * gwmark_send_output6() - dst.output of a gateway
 * @net: namespace
 * @sk: sending socket, or NULL
 * @skb: packet; consumed
 *
 * Return: 0 or an error for the sender.
 */
int gwmark_send_output6(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	return gwmark_send_output(net, sk, skb, NFPROTO_IPV6, output_finish);
}

/* After FORWARD. */
static int forward_finish(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	__IP6_INC_STATS(net, NULL, IPSTATS_MIB_OUTFORWDATAGRAMS);
	skb_clear_tstamp(skb);
	return gwmark_send_forwarded(net, sk, skb);
}

/* RFC 4291, 2.5: never forwarded by a router. */
static bool stays_on_link(const struct in6_addr *addr)
{
	return ipv6_addr_type(addr) & (IPV6_ADDR_MULTICAST | IPV6_ADDR_LOOPBACK |
				       IPV6_ADDR_LINKLOCAL) || ipv6_addr_any(addr);
}

static bool policy_check(struct net *net, struct sk_buff *skb)
{
	const struct inet6_dev *idev = __in6_dev_get(skb->dev);

	return READ_ONCE(net->ipv6.devconf_all->disable_policy) ||
	       (idev && READ_ONCE(idev->cnf.disable_policy)) ||
	       xfrm6_policy_check(NULL, XFRM_POLICY_FWD, skb);
}

/**
 * gwmark_send_forward6() - forward a received packet to a gateway
 * @gn: namespace
 * @skb: packet at the end of PRE_ROUTING, for this host by its frame
 * @gateway: where to; has an IPv6 dst
 * @sent: counter of success
 *
 * Context: RCU read section.
 * Return: NF_ACCEPT, @skb unchanged, if routing must do it; NF_DROP; or
 * NF_STOLEN.
 */
unsigned int gwmark_send_forward6(struct gwmark_net *gn, struct sk_buff *skb,
				  struct gwmark_gateway *gateway, enum gwmark_stat sent)
{
	const struct ipv6hdr *hdr = ipv6_hdr(skb);
	struct net *net = gn->net;
	struct dst_entry *dst;
	unsigned int mtu;

	if (unlikely(stays_on_link(&hdr->daddr) || stays_on_link(&hdr->saddr)))
		return gwmark_leave(gn, GWMARK_STAT_return_not_unicast);
	if (unlikely(hdr->nexthdr == NEXTHDR_HOP))
		return gwmark_leave(gn, GWMARK_STAT_return_options);

	gwmark_send_attach(skb, &gateway->dst.rt6->dst);
	/* both ways of IPsec may move the header */
	if (unlikely(!policy_check(net, skb)))
		return gwmark_send_drop_forward(gn, GWMARK_STAT_return_policy_drop);
	skb_forward_csum(skb);
	if (unlikely(ipv6_hdr(skb)->hop_limit <= 1)) {
		icmpv6_send(skb, ICMPV6_TIME_EXCEED, ICMPV6_EXC_HOPLIMIT, 0);
		return gwmark_send_drop_forward(gn, GWMARK_STAT_return_ttl_exceeded);
	}
	if (unlikely(!xfrm6_route_forward(skb)))
		return gwmark_send_drop_forward(gn, GWMARK_STAT_return_policy_drop);
	dst = skb_dst(skb);
	if (unlikely(dst_xfrm(dst)))
		sent = GWMARK_STAT_return_ipsec;
	mtu = max_t(unsigned int, dst_mtu(dst), IPV6_MIN_MTU);
	if (unlikely(gwmark_send_too_big(skb, mtu, IP6CB(skb)->frag_max_size))) {
		icmpv6_send(skb, ICMPV6_PKT_TOOBIG, 0, mtu);
		return gwmark_send_drop_forward(gn, GWMARK_STAT_return_too_big);
	}
	if (unlikely(skb_cow(skb, LL_RESERVED_SPACE(dst->dev) + dst->header_len)))
		return gwmark_send_drop_forward(gn, GWMARK_STAT_return_no_memory);
	ipv6_hdr(skb)->hop_limit--;

	gwmark_stats_inc(gn, sent);
	NF_HOOK(NFPROTO_IPV6, NF_INET_FORWARD, net, NULL, skb, skb->dev, dst->dev,
		forward_finish);
	return NF_STOLEN;
}
