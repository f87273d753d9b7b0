// SPDX-License-Identifier: GPL-2.0
/* Which gateway a packet is for: it is sent there, or left. */

#include <linux/if_arp.h>
#include <linux/netfilter_bridge.h>
#include <net/dst.h>
#include <net/ipv6.h>

#include "address.h"
#include "dst.h"
#include "flow.h"
#include "gateway.h"
#include "net.h"
#include "send.h"
#include "stats.h"
#include "steer.h"
#include "uplink.h"

static unsigned int forward(struct gwmark_net *gn, struct sk_buff *skb,
			    struct gwmark_gateway *gateway, u8 family, enum gwmark_stat sent)
{
	if (unlikely(!gwmark_gateway_usable(gateway)))
		return gwmark_leave(gn, GWMARK_STAT_return_device_down);
	if (unlikely(!gwmark_address_forwarding(gn->net, skb->dev, family)))
		return gwmark_leave(gn, GWMARK_STAT_return_forwarding_off);
	/* what the kernel forwards to nobody, it shall drop by itself */
	if (unlikely(skb->pkt_type != PACKET_HOST))
		return gwmark_leave(gn, GWMARK_STAT_return_not_host);
	if (unlikely(skb->sk || skb_warn_if_lro(skb)))
		return gwmark_leave(gn, GWMARK_STAT_return_not_forwarded);
	if (family == NFPROTO_IPV4)
		return gwmark_send_forward4(gn, skb, gateway, sent);
	if (unlikely(!gateway->dst.rt6))
		return gwmark_leave(gn, GWMARK_STAT_return_no_family);
	return gwmark_send_forward6(gn, skb, gateway, sent);
}

static unsigned int forward_uplink(struct gwmark_net *gn, struct sk_buff *skb,
				   struct nf_conn *ct, u8 family)
{
	struct gwmark_gateway *gateway = gwmark_uplink_answered(gn, ct);

	if (!gateway) {
		if (gwmark_address_routed(gn->net, skb, family))
			return gwmark_leave(gn, GWMARK_STAT_uplink_routed);
		gateway = gwmark_uplink_find(gn);
	}
	if (!gateway)
		return gwmark_leave(gn, GWMARK_STAT_uplink_none);
	return forward(gn, skb, gateway, family, GWMARK_STAT_uplink_sent);
}

/**
 * gwmark_steer_received() - send a selected received packet to its gateway
 * @gn: namespace
 * @skb: packet at the very end of PRE_ROUTING
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * Context: RCU read section.
 * Return: netfilter verdict.
 */
unsigned int gwmark_steer_received(struct gwmark_net *gn, struct sk_buff *skb, u8 family)
{
	const struct gwmark_config *config = rcu_dereference(gn->config);
	bool reply = gwmark_mark_matches(&config->reply, skb->mark);
	bool orig = gwmark_mark_matches(&config->orig, skb->mark);
	struct gwmark_gateway *gateway;
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct;
	u32 id;

	if (likely(!reply && !orig))
		return NF_ACCEPT;
	ct = nf_ct_get(skb, &ctinfo);
	if (!ct)
		return reply ? gwmark_leave(gn, GWMARK_STAT_return_no_conntrack) : NF_ACCEPT;
	if (CTINFO2DIR(ctinfo) == IP_CT_DIR_ORIGINAL && !(reply && ct->master)) {
		if (!orig || skb->dev->type == ARPHRD_ETHER)
			return NF_ACCEPT;
		return forward_uplink(gn, skb, ct, family);
	}
	if (!reply)
		return NF_ACCEPT;
	id = gwmark_flow_source(ct);
	/* an answer to what came out of the tunnel: it goes there */
	if (!id && orig && skb->dev->type == ARPHRD_ETHER && !gwmark_address_bridged(skb))
		return NF_ACCEPT;
	if (nf_bridge_info_exists(skb))
		return gwmark_leave(gn, GWMARK_STAT_return_bridged);
	gateway = id ? gwmark_gateway_find_id(gn, id) : NULL;
	if (gateway)
		return forward(gn, skb, gateway, family, GWMARK_STAT_return_sent);
	gwmark_stats_inc(gn, id ? GWMARK_STAT_return_gateway_gone :
				  GWMARK_STAT_return_no_gateway);
	/* the normal route; if there is none, the uplink */
	if (gwmark_address_routed(gn->net, skb, family))
		return NF_ACCEPT;
	gateway = gwmark_uplink_find(gn);
	if (!gateway)
		return NF_ACCEPT;
	return forward(gn, skb, gateway, family, GWMARK_STAT_uplink_sent);
}

/*
 * The dst that routing gave a datagram of a socket knows the path MTU; a gateway's
 * knows that of the device. Nobody on the way cuts an IPv6 packet: a datagram that is
 * too large for its path has to be cut here, and ip6_fragment() cuts what is larger
 * than frag_max_size. TCP and GSO keep to the route of the socket by themselves.
 */
static void keep_path_mtu(struct sk_buff *skb)
{
	unsigned int mtu = dst_mtu(skb_dst(skb));

	if (skb->len > mtu && skb->ignore_df && !skb_is_gso(skb))
		IP6CB(skb)->frag_max_size = mtu;
}

/**
 * gwmark_steer_output() - send a selected packet of this host to its gateway
 * @gn: namespace
 * @skb: packet at the very end of LOCAL_OUT, with the dst that routing gave it
 * @out: device of that dst
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * Context: RCU read section.
 * Return: NF_ACCEPT; the stack continues with the dst of the packet.
 */
unsigned int gwmark_steer_output(struct gwmark_net *gn, struct sk_buff *skb,
				 const struct net_device *out, u8 family)
{
	const struct gwmark_config *config = rcu_dereference(gn->config);
	bool reply = gwmark_mark_matches(&config->reply, skb->mark);
	bool orig = gwmark_mark_matches(&config->orig, skb->mark);
	struct gwmark_gateway *gateway;
	enum ip_conntrack_info ctinfo;
	struct dst_entry *dst;
	struct nf_conn *ct;
	bool replies, learnt;
	u32 id;

	if (likely(!reply && !orig))
		return NF_ACCEPT;
	ct = nf_ct_get(skb, &ctinfo);
	if (!ct)
		return gwmark_leave(gn, GWMARK_STAT_output_no_conntrack);
	replies = CTINFO2DIR(ctinfo) == IP_CT_DIR_REPLY;
	if (replies ? !reply : !orig)
		return NF_ACCEPT;
	/* a policy of IPsec says what becomes of it, and where that goes */
	if (unlikely(dst_xfrm(skb_dst(skb))))
		return gwmark_leave(gn, GWMARK_STAT_output_ipsec);
	if (out->flags & IFF_LOOPBACK || !gwmark_address_unicast(skb, family))
		return gwmark_leave(gn, GWMARK_STAT_output_not_unicast);
	id = replies ? gwmark_flow_source(ct) : 0;
	if (replies)
		gateway = id ? gwmark_gateway_find_id(gn, id) : NULL;
	else
		gateway = gwmark_uplink_answered(gn, ct);
	if (!gateway && replies)
		gwmark_stats_inc(gn, id ? GWMARK_STAT_output_gateway_gone :
					  GWMARK_STAT_output_no_gateway);
	learnt = gateway;
	if (!gateway) {
		/* a route that leads somewhere is taken, else the uplink */
		if (gwmark_address_explained(skb, out, family))
			return replies ? NF_ACCEPT : gwmark_leave(gn, GWMARK_STAT_uplink_routed);
		gateway = gwmark_uplink_find(gn);
		if (!gateway && replies)
			return NF_ACCEPT;
		if (!gateway)
			return gwmark_leave(gn, GWMARK_STAT_uplink_none);
	}
	if (!gwmark_gateway_usable(gateway))
		return gwmark_leave(gn, GWMARK_STAT_output_device_down);
	dst = gwmark_dst_of(&gateway->dst, family);
	if (!dst)
		return gwmark_leave(gn, GWMARK_STAT_output_no_family);
	if (learnt)
		gwmark_uplink_replied(gn, gateway, ct);

	if (family == NFPROTO_IPV6)
		keep_path_mtu(skb);
	/* With a reference: dst_output() comes after this RCU read section. */
	skb_dst_drop(skb);
	dst_hold(dst);
	skb_dst_set(skb, dst);
	return gwmark_leave(gn, learnt ? GWMARK_STAT_output_sent : GWMARK_STAT_uplink_sent);
}
