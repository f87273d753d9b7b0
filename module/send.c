// SPDX-License-Identifier: GPL-2.0
/*
 * The last steps of a packet to a gateway, as far as they are the same for both
 * families: from its dst to POST_ROUTING, and from there to the frame.
 */

#include <linux/bpf-cgroup.h>
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <net/gso.h>
#include <net/ip.h>

#include "dst.h"
#include "gateway.h"
#include "move.h"
#include "net.h"
#include "send.h"
#include "stats.h"

/**
 * gwmark_send_attach() - make a packet's dst that of a gateway
 * @skb: received packet
 * @dst: dst of a gateway
 *
 * Without a reference: the packet is sent within this RCU read section, and
 * whoever queues it takes a reference.
 *
 * Context: RCU read section.
 */
void gwmark_send_attach(struct sk_buff *skb, struct dst_entry *dst)
{
	skb_dst_drop(skb);
	skb_dst_set_noref(skb, dst);
}

/**
 * gwmark_send_drop() - drop a packet on its way out, with a reason
 * @net: its namespace
 * @skb: the packet
 * @stat: the reason
 * @error: what the sender is told
 *
 * Return: @error.
 */
int gwmark_send_drop(struct net *net, struct sk_buff *skb, enum gwmark_stat stat, int error)
{
	gwmark_stats_inc(gwmark_net_of(net), stat);
	kfree_skb(skb);
	return error;
}

/**
 * gwmark_send_drop_forward() - drop a packet that was to be forwarded
 * @gn: the namespace
 * @stat: the reason
 *
 * Return: NF_DROP.
 */
unsigned int gwmark_send_drop_forward(struct gwmark_net *gn, enum gwmark_stat stat)
{
	gwmark_stats_inc(gn, stat);
	return NF_DROP;
}

/**
 * gwmark_send_too_big() - is a packet too large to go whole?
 * @skb: packet that nobody may cut
 * @mtu: what fits
 * @frag_max_size: of the largest fragment that conntrack joined, 0: it did not
 */
bool gwmark_send_too_big(const struct sk_buff *skb, unsigned int mtu, unsigned int frag_max_size)
{
	if (skb->len <= mtu)
		return false;
	if (unlikely(frag_max_size > mtu))
		return true;
	if (skb->ignore_df)
		return false;
	return !(skb_is_gso(skb) && skb_gso_validate_network_len(skb, mtu));
}

/* The gateway that a packet's dst stands for, or NULL if it was forgotten meanwhile. */
static struct gwmark_gateway *gateway_of(struct gwmark_net *gn, const struct sk_buff *skb)
{
	u32 id = gwmark_dst_gateway(skb_dst(skb));

	return id ? gwmark_gateway_find_id(gn, id) : NULL;
}

/**
 * gwmark_send_forwarded() - what comes after FORWARD
 * @net: namespace
 * @sk: sending socket, or NULL
 * @skb: packet; consumed
 *
 * Return: 0 or an error.
 */
int gwmark_send_forwarded(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	/* the gateway was forgotten, and its dst ended, while the packet waited in a queue */
	if (unlikely(skb_dst(skb)->output == dst_discard_out))
		return gwmark_send_drop(net, skb, GWMARK_STAT_transmit_gateway_gone,
					-ENETUNREACH);
	return dst_output(net, sk, skb);
}

/**
 * gwmark_send_output() - what dst.output of a gateway does
 * @net: namespace
 * @sk: sending socket, or NULL
 * @skb: packet; consumed
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @finish: what comes after POST_ROUTING
 *
 * Return: 0 or an error for the sender.
 */
int gwmark_send_output(struct net *net, struct sock *sk, struct sk_buff *skb, u8 family,
		       gwmark_send_step finish)
{
	struct net_device *in = skb->dev;
	struct gwmark_gateway *gateway;
	int ret;

	rcu_read_lock();
	gateway = gateway_of(gwmark_net_of(net), skb);
	if (unlikely(!gateway)) {
		ret = gwmark_send_drop(net, skb, GWMARK_STAT_transmit_gateway_gone,
				       -ENETUNREACH);
	} else {
		skb->dev = gateway->dev;
		skb->protocol = family == NFPROTO_IPV4 ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
		ret = NF_HOOK(family, NF_INET_POST_ROUTING, net, sk, skb, in, gateway->dev,
			      finish);
	}
	rcu_read_unlock();
	return ret;
}

/**
 * gwmark_send_frame() - add the link-layer header and pass it to the device
 * @net: namespace
 * @sk: sending socket, or NULL
 * @skb: packet that fits the device, with a gateway's dst; consumed
 *
 * Return: 0 or what the device's queue said.
 */
int gwmark_send_frame(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	struct gwmark_net *gn = gwmark_net_of(net);
	struct gwmark_gateway *gateway;
	struct net_device *dev;
	u8 mac[ETH_ALEN] __aligned(2);
	int ret;

	rcu_read_lock();
	gateway = gateway_of(gn, skb);
	if (unlikely(!gateway)) {
		ret = gwmark_send_drop(net, skb, GWMARK_STAT_transmit_gateway_gone,
				       -ENETUNREACH);
		goto out;
	}
	dev = gateway->dev;
	if (unlikely(skb_cow_head(skb, LL_RESERVED_SPACE(dev)))) {
		ret = gwmark_send_drop(net, skb, GWMARK_STAT_transmit_no_memory, -ENOMEM);
		goto out;
	}
	gwmark_gateway_used(gateway);
	this_cpu_inc(gateway->count->sent_packets);
	this_cpu_add(gateway->count->sent_bytes, skb->len);
	skb->dev = dev;
	if (unlikely(READ_ONCE(gateway->unsettled)))
		gwmark_move_due(gn, gateway);
	u64_to_ether_addr(atomic64_read(&gateway->lladdr), mac);
	if (unlikely(dev_hard_header(skb, dev, ntohs(skb->protocol), mac, NULL, skb->len) < 0)) {
		ret = gwmark_send_drop(net, skb, GWMARK_STAT_transmit_no_header, -EINVAL);
		goto out;
	}
	gwmark_stats_inc(gn, GWMARK_STAT_transmit_frames);
	ret = dev_queue_xmit(skb);
out:
	rcu_read_unlock();
	return ret;
}

/* Cuts a GSO packet, whose segments do not fit the device, in software. */
static int send_segments(struct net *net, struct sock *sk, struct sk_buff *skb,
			 gwmark_send_step send)
{
	netdev_features_t features = netif_skb_features(skb) & ~NETIF_F_GSO_MASK;
	struct sk_buff *segment, *next;
	int ret = 0, error;

	segment = skb_gso_segment(skb, features);
	if (IS_ERR_OR_NULL(segment))
		return gwmark_send_drop(net, skb, GWMARK_STAT_transmit_no_memory, -ENOMEM);
	consume_skb(skb);
	gwmark_stats_inc(gwmark_net_of(net), GWMARK_STAT_transmit_segmented);
	skb_list_walk_safe(segment, segment, next) {
		skb_mark_not_on_list(segment);
		error = send(net, sk, segment);
		ret = ret ?: error;
	}
	return ret;
}

/**
 * gwmark_send_finish() - what comes after POST_ROUTING
 * @net: namespace
 * @sk: sending socket, or NULL
 * @skb: packet; consumed
 * @mtu: of its dst
 * @send_fragments: sends what is no GSO packet, cut if need be
 *
 * Return: 0 or an error for the sender.
 */
int gwmark_send_finish(struct net *net, struct sock *sk, struct sk_buff *skb,
		       unsigned int mtu, gwmark_send_step send_fragments)
{
	int congested = 0, ret;

	/* ended while the packet waited in a queue: its device, and so @mtu, is none now */
	if (unlikely(!gwmark_dst_gateway(skb_dst(skb))))
		return gwmark_send_drop(net, skb, GWMARK_STAT_transmit_gateway_gone,
					-ENETUNREACH);
	if (sk) {
		/* ask the sender's control group */
		congested = BPF_CGROUP_RUN_PROG_INET_EGRESS(sk, skb);
		if (congested != NET_XMIT_SUCCESS && congested != NET_XMIT_CN)
			return gwmark_send_drop(net, skb, GWMARK_STAT_transmit_cgroup,
						congested);
	}
	if (!skb_is_gso(skb))
		ret = send_fragments(net, sk, skb);
	else if (skb_gso_validate_network_len(skb, mtu))
		ret = gwmark_send_frame(net, sk, skb);
	else
		ret = send_segments(net, sk, skb, send_fragments);
	return ret ?: congested;
}
