// SPDX-License-Identifier: GPL-2.0
/*
 * IPv4: forwarding a packet to a gateway, and the way out.
 *
 * ip_forward() and ip_finish_output() of the kernel are not exported; this is
 * their work in their order, for a packet whose next hop is a MAC.
 */

#include <linux/icmp.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <net/gso.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/route.h>
#include <net/xfrm.h>

#include "address.h"
#include "gateway.h"
#include "net.h"
#include "send.h"
#include "stats.h"

/* As dst_mtu() of a gateway's dst, which has no metrics and no exceptions. */
static unsigned int mtu_of(const struct net_device *dev)
{
	return min_t(unsigned int, READ_ONCE(dev->mtu), IP_MAX_MTU);
}

static bool too_big(const struct sk_buff *skb, unsigned int mtu)
{
	return ip_hdr(skb)->frag_off & htons(IP_DF) &&
	       gwmark_send_too_big(skb, mtu, IPCB(skb)->frag_max_size);
}

static int send_fragments(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	unsigned int mtu = mtu_of(skb_dst(skb)->dev);

	/* The last segment of a GSO packet may fit; too_big() never sees DF here
	 * on a forwarded packet, so this is the sender's own host.
	 */
	if (skb->len <= mtu && !IPCB(skb)->frag_max_size)
		return gwmark_send_frame(net, sk, skb);
	if (too_big(skb, mtu)) {
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, htonl(mtu));
		return gwmark_send_drop(net, skb, GWMARK_STAT_transmit_too_big, -EMSGSIZE);
	}
	gwmark_stats_inc(gwmark_net_of(net), GWMARK_STAT_transmit_fragmented);
	return ip_do_fragment(net, sk, skb, gwmark_send_frame);
}

/* After POST_ROUTING. */
static int output_finish(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	const struct dst_entry *dst = skb_dst(skb);

	/* NAT brought the packet under a policy of IPsec */
	if (unlikely(dst_xfrm(dst))) {
		gwmark_stats_inc(gwmark_net_of(net), GWMARK_STAT_transmit_ipsec);
		IPCB(skb)->flags |= IPSKB_REROUTED;
		return dst_output(net, sk, skb);
	}
	return gwmark_send_finish(net, sk, skb, mtu_of(dst->dev), send_fragments);
}

/**
 * gwmark_send_output4() - dst.output of a gateway
 * @net: namespace
 * @sk: sending socket, or NULL
 * @skb: packet; consumed
 *
 * Return: 0 or an error for the sender.
 */
int gwmark_send_output4(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	return gwmark_send_output(net, sk, skb, NFPROTO_IPV4, output_finish);
}

/* After FORWARD. */
static int forward_finish(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	__IP_INC_STATS(net, IPSTATS_MIB_OUTFORWDATAGRAMS);
	skb_clear_tstamp(skb);
	/* a hook may have given it another dst */
	if (likely(skb_dst(skb)->output == gwmark_send_output4))
		return gwmark_send_output4(net, sk, skb);
	return gwmark_send_forwarded(net, sk, skb);
}

/**
 * gwmark_send_forward4() - forward a received packet to a gateway
 * @gn: namespace
 * @skb: packet at the end of PRE_ROUTING, for this host by its frame
 * @gateway: where to
 * @sent: counter of success
 *
 * Context: RCU read section.
 * Return: NF_ACCEPT, @skb unchanged, if routing must do it; NF_DROP; or
 * NF_STOLEN.
 */
unsigned int gwmark_send_forward4(struct gwmark_net *gn, struct sk_buff *skb,
				  struct gwmark_gateway *gateway, enum gwmark_stat sent)
{
	const struct iphdr *iph = ip_hdr(skb);
	struct net *net = gn->net;
	struct dst_entry *dst;
	unsigned int mtu;

	if (unlikely(!gwmark_address_unicast(skb, NFPROTO_IPV4)))
		return gwmark_leave(gn, GWMARK_STAT_return_not_unicast);
	/* ip_rcv_finish() would parse them, ip_forward_options() fill them in */
	if (unlikely(iph->ihl > 5))
		return gwmark_leave(gn, GWMARK_STAT_return_options);
	if (unlikely(!gwmark_address_source_valid(net, skb, gateway->dev->ifindex)))
		return gwmark_leave(gn, GWMARK_STAT_return_bad_source);

	gwmark_send_attach(skb, &gateway->dst.rt4->dst);
	/* both ways of IPsec may move the header */
	if (unlikely(!xfrm4_policy_check(NULL, XFRM_POLICY_FWD, skb)))
		return gwmark_send_drop_forward(gn, GWMARK_STAT_return_policy_drop);
	skb_forward_csum(skb);
	if (unlikely(ip_hdr(skb)->ttl <= 1)) {
		icmp_send(skb, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0);
		return gwmark_send_drop_forward(gn, GWMARK_STAT_return_ttl_exceeded);
	}
	if (unlikely(!xfrm4_route_forward(skb)))
		return gwmark_send_drop_forward(gn, GWMARK_STAT_return_policy_drop);
	dst = skb_dst(skb);
	mtu = mtu_of(dst->dev);
	if (unlikely(dst_xfrm(dst))) {
		mtu = ip_dst_mtu_maybe_forward(dst, true);
		sent = GWMARK_STAT_return_ipsec;
	}
	IPCB(skb)->flags |= IPSKB_FORWARDED;
	if (unlikely(too_big(skb, mtu))) {
		IP_INC_STATS(net, IPSTATS_MIB_FRAGFAILS);
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, htonl(mtu));
		return gwmark_send_drop_forward(gn, GWMARK_STAT_return_too_big);
	}
	if (unlikely(skb_cow(skb, LL_RESERVED_SPACE(dst->dev) + dst->header_len)))
		return gwmark_send_drop_forward(gn, GWMARK_STAT_return_no_memory);
	ip_decrease_ttl(ip_hdr(skb));
	if (READ_ONCE(net->ipv4.sysctl_ip_fwd_update_priority))
		skb->priority = rt_tos2priority(ip_hdr(skb)->tos);

	gwmark_stats_inc(gn, sent);
	NF_HOOK(NFPROTO_IPV4, NF_INET_FORWARD, net, NULL, skb, skb->dev, dst->dev,
		forward_finish);
	return NF_STOLEN;
}
