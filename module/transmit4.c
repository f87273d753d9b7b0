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

#include "gateway.h"
#include "net.h"
#include "stats.h"
#include "transmit.h"

/* As dst_mtu() of a gateway's dst, which has no metrics and no exceptions. */
static unsigned int mtu_of(const struct net_device *dev)
{
	return min_t(unsigned int, READ_ONCE(dev->mtu), IP_MAX_MTU);
}

static bool too_big(const struct sk_buff *skb, unsigned int mtu)
{
	if (skb->len <= mtu || !(ip_hdr(skb)->frag_off & htons(IP_DF)))
		return false;
	/* a fragment with DF was larger than fits, before conntrack joined them */
	if (unlikely(IPCB(skb)->frag_max_size > mtu))
		return true;
	if (skb->ignore_df)
		return false;
	return !(skb_is_gso(skb) && skb_gso_validate_network_len(skb, mtu));
}

static int send_fragments(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	unsigned int mtu = mtu_of(skb_dst(skb)->dev);

	/* The last segment of a GSO packet may fit; too_big() never sees DF here
	 * on a forwarded packet, so this is the sender's own host.
	 */
	if (skb->len <= mtu && !IPCB(skb)->frag_max_size)
		return gwmark_transmit_frame(net, sk, skb);
	if (too_big(skb, mtu)) {
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, htonl(mtu));
		return gwmark_transmit_drop(net, skb, GWMARK_STAT_transmit_too_big, -EMSGSIZE);
	}
	gwmark_stats_inc(gwmark_net_of(net), GWMARK_STAT_transmit_fragmented);
	return ip_do_fragment(net, sk, skb, gwmark_transmit_frame);
}

/* After POST_ROUTING. */
static int output_finish(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	int congested = 0, ret;
	unsigned int mtu;

	if (sk) {
		congested = gwmark_transmit_cgroup(net, sk, skb);
		if (congested < 0 || congested == NET_XMIT_DROP)
			return congested;
	}
	mtu = mtu_of(skb_dst(skb)->dev);
	if (skb_is_gso(skb)) {
		if (skb_gso_validate_network_len(skb, mtu))
			ret = gwmark_transmit_frame(net, sk, skb);
		else
			ret = gwmark_transmit_segments(net, sk, skb, send_fragments);
	} else {
		ret = send_fragments(net, sk, skb);
	}
	return ret ?: congested;
}

/**
 * gwmark_output4() - dst.output of a gateway
 * @net: namespace
 * @sk: sending socket, or NULL
 * @skb: packet; consumed
 *
 * Return: 0 or an error for the sender.
 */
int gwmark_output4(struct net *net, struct sock *sk, struct sk_buff *skb)
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
		skb->protocol = htons(ETH_P_IP);
		ret = NF_HOOK(NFPROTO_IPV4, NF_INET_POST_ROUTING, net, sk, skb, in,
			      gateway->dev, output_finish);
	}
	rcu_read_unlock();
	return ret;
}

/* After FORWARD. */
static int forward_finish(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	__IP_INC_STATS(net, IPSTATS_MIB_OUTFORWDATAGRAMS);
	skb_clear_tstamp(skb);
	/* a hook may have given it another dst */
	if (likely(skb_dst(skb)->output == gwmark_output4))
		return gwmark_output4(net, sk, skb);
	return dst_output(net, sk, skb);
}

/**
 * gwmark_forward4() - forward a received packet to a gateway
 * @gn: namespace
 * @skb: packet at the end of PRE_ROUTING
 * @gateway: where to
 * @sent: counter of success
 *
 * Context: RCU read section.
 * Return: NF_ACCEPT, @skb unchanged, if routing must do it; NF_DROP; or
 * NF_STOLEN.
 */
unsigned int gwmark_forward4(struct gwmark_net *gn, struct sk_buff *skb,
			     struct gwmark_gateway *gateway, enum gwmark_stat sent)
{
	struct net_device *dev = gateway->dev;
	const struct iphdr *iph = ip_hdr(skb);
	struct net *net = gn->net;
	unsigned int mtu;

	if (unlikely(ipv4_is_multicast(iph->daddr) || ipv4_is_lbcast(iph->daddr) ||
		     ipv4_is_zeronet(iph->daddr) || ipv4_is_loopback(iph->daddr))) {
		gwmark_stats_inc(gn, GWMARK_STAT_return_not_unicast);
		return NF_ACCEPT;
	}
	/* ip_rcv_finish() would parse them, ip_forward_options() fill them in */
	if (unlikely(iph->ihl > 5)) {
		gwmark_stats_inc(gn, GWMARK_STAT_return_options);
		return NF_ACCEPT;
	}
	if (unlikely(skb->sk || skb_warn_if_lro(skb)))
		return NF_ACCEPT;

	gwmark_transmit_attach(skb, &gateway->rt4->dst);
	if (unlikely(!xfrm4_policy_check(NULL, XFRM_POLICY_FWD, skb))) {
		gwmark_stats_inc(gn, GWMARK_STAT_return_policy_drop);
		return NF_DROP;
	}
	skb_forward_csum(skb);
	if (unlikely(iph->ttl <= 1)) {
		icmp_send(skb, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0);
		gwmark_stats_inc(gn, GWMARK_STAT_return_ttl_exceeded);
		return NF_DROP;
	}
	IPCB(skb)->flags |= IPSKB_FORWARDED;
	mtu = mtu_of(dev);
	if (unlikely(too_big(skb, mtu))) {
		IP_INC_STATS(net, IPSTATS_MIB_FRAGFAILS);
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, htonl(mtu));
		gwmark_stats_inc(gn, GWMARK_STAT_return_too_big);
		return NF_DROP;
	}
	if (unlikely(skb_cow(skb, LL_RESERVED_SPACE(dev)))) {
		gwmark_stats_inc(gn, GWMARK_STAT_return_no_memory);
		return NF_DROP;
	}
	/* the header may have moved */
	ip_decrease_ttl(ip_hdr(skb));
	if (READ_ONCE(net->ipv4.sysctl_ip_fwd_update_priority))
		skb->priority = rt_tos2priority(ip_hdr(skb)->tos);

	gwmark_stats_inc(gn, sent);
	NF_HOOK(NFPROTO_IPV4, NF_INET_FORWARD, net, NULL, skb, skb->dev, dev,
		forward_finish);
	return NF_STOLEN;
}
