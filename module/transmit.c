// SPDX-License-Identifier: GPL-2.0
/*
 * The last steps of a packet to a gateway, the same for both families: the dst
 * that stands for the gateway, and the frame.
 *
 * Why a dst of our own: icmp_send() is silent for a packet without one, NAT at
 * POST_ROUTING dereferences it, and fragments inherit it. It names the gateway
 * by id, in a field that nobody reads as long as the dst has no next hop, so a
 * packet that waits in a queue does not keep a gateway alive.
 */

#include <linux/bpf-cgroup.h>
#include <linux/etherdevice.h>
#include <linux/ipv6.h>
#include <net/gso.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/route.h>

#include "gateway.h"
#include "move.h"
#include "net.h"
#include "stats.h"
#include "transmit.h"

/**
 * gwmark_transmit_dst_create() - make the dsts of a gateway
 * @gateway: has its id and device
 *
 * Context: does not sleep.
 * Return: 0 or -ENOMEM.
 */
int gwmark_transmit_dst_create(struct gwmark_gateway *gateway)
{
	struct net_device *dev = gateway->dev;

	gateway->rt4 = rt_dst_alloc(dev, 0, RTN_UNICAST, true);
	if (!gateway->rt4)
		return -ENOMEM;
	gateway->rt4->rt_is_input = 1;
	gateway->rt4->rt_gw4 = (__force __be32)gateway->id;
	gateway->rt4->dst.output = gwmark_output4;

	if (!ipv6_mod_enabled())
		return 0;
	gateway->rt6 = ip6_dst_alloc(dev_net(dev), dev, DST_NOXFRM);
	if (!gateway->rt6) {
		gwmark_transmit_dst_destroy(gateway);
		return -ENOMEM;
	}
	gateway->rt6->rt6i_gateway.s6_addr32[0] = (__force __be32)gateway->id;
	gateway->rt6->dst.output = gwmark_output6;
	return 0;
}

static void dst_end(struct dst_entry *dst)
{
	/* Packets that still hold it get a dst that discards. */
	dst_dev_put(dst);
	dst_release(dst);
}

/**
 * gwmark_transmit_dst_destroy() - end the dsts of a gateway
 * @gateway: no packet can find it any more
 *
 * Context: does not sleep.
 */
void gwmark_transmit_dst_destroy(struct gwmark_gateway *gateway)
{
	if (gateway->rt4)
		dst_end(&gateway->rt4->dst);
	if (gateway->rt6)
		dst_end(&gateway->rt6->dst);
	gateway->rt4 = NULL;
	gateway->rt6 = NULL;
}

/**
 * gwmark_transmit_attach() - make a packet's dst that of a gateway
 * @skb: received packet
 * @dst: dst of a gateway
 *
 * Without a reference: the packet is sent within this RCU read section, and
 * whoever queues it takes a reference.
 *
 * Context: RCU read section.
 */
void gwmark_transmit_attach(struct sk_buff *skb, struct dst_entry *dst)
{
	skb_dst_drop(skb);
	skb_dst_set_noref(skb, dst);
}

/**
 * gwmark_transmit_drop() - drop a packet, with a reason
 * @net: its namespace
 * @skb: the packet
 * @stat: the reason
 * @error: what the sender is told
 *
 * Return: @error.
 */
int gwmark_transmit_drop(struct net *net, struct sk_buff *skb,
			 enum gwmark_stat stat, int error)
{
	gwmark_stats_inc(gwmark_net_of(net), stat);
	kfree_skb(skb);
	return error;
}

/**
 * gwmark_transmit_gateway() - the gateway that a packet's dst stands for
 * @gn: the namespace
 * @skb: a packet with a dst of gwmark_transmit_dst_create()
 *
 * Context: RCU read section.
 * Return: the gateway, or NULL if it was forgotten meanwhile.
 */
struct gwmark_gateway *gwmark_transmit_gateway(struct gwmark_net *gn,
					       const struct sk_buff *skb)
{
	const struct dst_entry *dst = skb_dst(skb);

	if (dst->output == gwmark_output4)
		return gwmark_gateway_find_id(gn, (__force u32)skb_rtable(skb)->rt_gw4);
	if (dst->output == gwmark_output6)
		return gwmark_gateway_find_id(gn, (__force u32)
			container_of(dst, struct rt6_info, dst)->rt6i_gateway.s6_addr32[0]);
	return NULL;
}

/**
 * gwmark_transmit_cgroup() - ask the sender's control group
 * @net: namespace
 * @sk: sending socket, or NULL
 * @skb: the packet; freed if the answer is no
 *
 * Return: 0, NET_XMIT_CN (send, and tell of congestion), or -EPERM and the like.
 */
int gwmark_transmit_cgroup(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	int ret = BPF_CGROUP_RUN_PROG_INET_EGRESS(sk, skb);

	if (ret != NET_XMIT_SUCCESS && ret != NET_XMIT_CN)
		gwmark_transmit_drop(net, skb, GWMARK_STAT_transmit_cgroup, ret);
	return ret;
}

/**
 * gwmark_transmit_frame() - add the link-layer header and pass it to the device
 * @net: namespace
 * @sk: sending socket, or NULL
 * @skb: packet that fits the device, with a gateway's dst; consumed
 *
 * Return: 0 or what the device's queue said.
 */
int gwmark_transmit_frame(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	struct gwmark_net *gn = gwmark_net_of(net);
	struct gwmark_gateway *gateway;
	struct net_device *dev;
	u8 mac[ETH_ALEN];
	int ret;

	rcu_read_lock();
	gateway = gwmark_transmit_gateway(gn, skb);
	if (unlikely(!gateway)) {
		ret = gwmark_transmit_drop(net, skb, GWMARK_STAT_transmit_gateway_gone,
					   -ENETUNREACH);
		goto out;
	}
	dev = gateway->dev;
	if (unlikely(skb_cow_head(skb, LL_RESERVED_SPACE(dev)))) {
		ret = gwmark_transmit_drop(net, skb, GWMARK_STAT_transmit_no_memory, -ENOMEM);
		goto out;
	}
	this_cpu_inc(gateway->count->sent_packets);
	this_cpu_add(gateway->count->sent_bytes, skb->len);
	skb->dev = dev;
	if (unlikely(READ_ONCE(gateway->unsettled)))
		gwmark_move_due(gn, gateway);
	u64_to_ether_addr(atomic64_read(&gateway->lladdr), mac);
	if (unlikely(dev_hard_header(skb, dev, ntohs(skb->protocol), mac, NULL, skb->len) < 0)) {
		ret = gwmark_transmit_drop(net, skb, GWMARK_STAT_transmit_no_header, -EINVAL);
		goto out;
	}
	gwmark_stats_inc(gn, GWMARK_STAT_transmit_frames);
	ret = dev_queue_xmit(skb);
out:
	rcu_read_unlock();
	return ret;
}

/**
 * gwmark_transmit_segments() - cut a GSO packet in software
 * @net: namespace
 * @sk: sending socket, or NULL
 * @skb: GSO packet whose segments do not fit the device; consumed
 * @send: takes each segment
 *
 * Return: 0, -ENOMEM, or the first error of @send.
 */
int gwmark_transmit_segments(struct net *net, struct sock *sk, struct sk_buff *skb,
			     int (*send)(struct net *, struct sock *, struct sk_buff *))
{
	netdev_features_t features = netif_skb_features(skb) & ~NETIF_F_GSO_MASK;
	struct sk_buff *segment, *next;
	int ret = 0, error;

	segment = skb_gso_segment(skb, features);
	if (IS_ERR_OR_NULL(segment))
		return gwmark_transmit_drop(net, skb, GWMARK_STAT_transmit_no_memory, -ENOMEM);
	consume_skb(skb);
	gwmark_stats_inc(gwmark_net_of(net), GWMARK_STAT_transmit_segmented);
	skb_list_walk_safe(segment, segment, next) {
		skb_mark_not_on_list(segment);
		error = send(net, sk, segment);
		ret = ret ?: error;
	}
	return ret;
}
