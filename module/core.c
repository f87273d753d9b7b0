// SPDX-License-Identifier: GPL-2.0
/* What to do with a packet: learn from it, send it to its gateway, leave it. */

#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/netfilter_bridge.h>
#include <net/dst.h>
#include <net/ip6_fib.h>
#include <net/route.h>
#include <net/xfrm.h>

#include "address.h"
#include "core.h"
#include "flow.h"
#include "gateway.h"
#include "move.h"
#include "net.h"
#include "stats.h"
#include "transmit.h"
#include "uplink.h"

/* Every exit goes through here: what is not sent continues, and is counted. */
static unsigned int leave(struct gwmark_net *gn, enum gwmark_stat stat)
{
	gwmark_stats_inc(gn, stat);
	return NF_ACCEPT;
}

/* Under br_netfilter IP hooks see frames that the bridge only passes through. */
static bool passes_through(const struct sk_buff *skb)
{
	return nf_bridge_info_exists(skb) &&
	       !ether_addr_equal(eth_hdr(skb)->h_dest, skb->dev->dev_addr);
}

static struct gwmark_gateway *gateway_of(struct gwmark_net *gn, struct sk_buff *skb,
					 const u8 *mac)
{
	struct gwmark_gateway *gateway = gwmark_gateway_find(gn, skb->dev, mac);

	return gateway ?: gwmark_gateway_add(gn, skb->dev, mac, false);
}

/* A captured frame was bound for a router of its sender's choice: remember it. */
static u32 destination_of(struct gwmark_net *gn, struct sk_buff *skb)
{
	const u8 *mac = eth_hdr(skb)->h_dest;
	struct gwmark_gateway *gateway;

	if (ether_addr_equal(mac, skb->dev->dev_addr) || !is_valid_ether_addr(mac))
		return 0;
	gateway = gateway_of(gn, skb, mac);
	if (IS_ERR(gateway))
		return 0;
	gwmark_uplink_captured(gn, gateway);
	return gateway->id;
}

/* The flow has no gateway yet, or its frames come from elsewhere now. */
static unsigned int learn_gateway(struct gwmark_net *gn, const struct gwmark_config *config,
				  struct sk_buff *skb, struct nf_conn *ct,
				  const struct nf_hook_state *state)
{
	const struct ethhdr *eth = eth_hdr(skb);
	u32 *words = gwmark_flow_words(ct);
	struct gwmark_gateway *gateway;
	u32 destination, old;

	if (!is_valid_ether_addr(eth->h_source) ||
	    ether_addr_equal(eth->h_source, skb->dev->dev_addr))
		return leave(gn, GWMARK_STAT_learn_bad_mac);
	if (!config->learn_onlink && gwmark_address_source_onlink(skb, state->pf))
		return leave(gn, GWMARK_STAT_learn_onlink);
	if (!words && nf_ct_is_confirmed(ct) && !gwmark_flow_renewable(ct))
		return leave(gn, GWMARK_STAT_learn_too_late);
	gateway = gateway_of(gn, skb, eth->h_source);
	if (IS_ERR(gateway))
		return leave(gn, PTR_ERR(gateway) == -ENOSPC ? GWMARK_STAT_learn_table_full :
				 GWMARK_STAT_learn_no_memory);
	if (!words && nf_ct_is_confirmed(ct)) {
		ct = gwmark_flow_renew(skb, ct, state);
		if (!ct)
			return leave(gn, GWMARK_STAT_learn_no_conntrack);
		gwmark_stats_inc(gn, GWMARK_STAT_learn_renewed);
	}
	if (!words)
		words = gwmark_flow_words_create(ct);
	if (!words)
		return leave(gn, GWMARK_STAT_learn_no_memory);

	gwmark_move_seen(gn, gateway);
	this_cpu_inc(gateway->count->learned);
	destination = destination_of(gn, skb);
	if (destination)
		WRITE_ONCE(words[GWMARK_FLOW_DESTINATION], destination);
	old = READ_ONCE(words[GWMARK_FLOW_SOURCE]);
	WRITE_ONCE(words[GWMARK_FLOW_SOURCE], gateway->id);
	return leave(gn, old ? GWMARK_STAT_learn_changed : GWMARK_STAT_learn_new);
}

/* Does the frame come from the gateway of this id? */
static struct gwmark_gateway *comes_from(struct gwmark_net *gn, const struct sk_buff *skb, u32 id)
{
	struct gwmark_gateway *gateway = gwmark_gateway_find_id(gn, id);

	if (gateway && gateway->dev == skb->dev &&
	    ether_addr_equal(gateway->mac, eth_hdr(skb)->h_source))
		return gateway;
	return NULL;
}

/*
 * The flow began in the tunnel or here, and this is an answer: whoever sent it leads
 * to the one that was called. Also when the flow began elsewhere, its entry was lost,
 * and our side sent first after that.
 */
static unsigned int learn_answer(struct gwmark_net *gn, const struct gwmark_config *config,
				 struct sk_buff *skb, struct nf_conn *ct,
				 enum ip_conntrack_info ctinfo, u8 family)
{
	u32 *words = gwmark_flow_words(ct);
	struct gwmark_gateway *gateway;

	if (!words || READ_ONCE(words[GWMARK_FLOW_SOURCE]))
		return NF_ACCEPT;
	if (!gwmark_address_ethernet(skb) || skb_sec_path(skb) || passes_through(skb))
		return NF_ACCEPT;
	/* an ICMP error is no evidence */
	if (ctinfo == IP_CT_RELATED_REPLY)
		return NF_ACCEPT;
	gateway = comes_from(gn, skb, READ_ONCE(words[GWMARK_FLOW_DESTINATION]));
	if (likely(gateway)) {
		gwmark_move_seen(gn, gateway);
		return NF_ACCEPT;
	}
	if (!is_valid_ether_addr(eth_hdr(skb)->h_source) ||
	    ether_addr_equal(eth_hdr(skb)->h_source, skb->dev->dev_addr))
		return NF_ACCEPT;
	if (!config->learn_onlink && gwmark_address_source_onlink(skb, family))
		return NF_ACCEPT;
	gateway = gateway_of(gn, skb, eth_hdr(skb)->h_source);
	if (IS_ERR(gateway))
		return NF_ACCEPT;
	gwmark_move_seen(gn, gateway);
	WRITE_ONCE(words[GWMARK_FLOW_DESTINATION], gateway->id);
	return leave(gn, GWMARK_STAT_learn_answer);
}

/**
 * gwmark_core_learn() - remember where a selected packet came from
 * @gn: namespace
 * @skb: packet in PRE_ROUTING, behind conntrack, before NAT; or later, if translated
 * @state: of the hook
 *
 * Context: RCU read section.
 * Return: NF_ACCEPT.
 */
unsigned int gwmark_core_learn(struct gwmark_net *gn, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	const struct gwmark_config *config = rcu_dereference(gn->config);
	struct gwmark_gateway *gateway;
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct;
	const u32 *words;

	if (!gwmark_mark_matches(&config->orig, skb->mark))
		return NF_ACCEPT;
	/* a VRF shows each packet twice; the first time was on the device itself */
	if (skb->dev->type != ARPHRD_ETHER || netif_is_l3_master(skb->dev))
		return NF_ACCEPT;
	ct = nf_ct_get(skb, &ctinfo);
	if (!ct)
		return leave(gn, GWMARK_STAT_learn_no_conntrack);
	if (CTINFO2DIR(ctinfo) != IP_CT_DIR_ORIGINAL)
		return learn_answer(gn, config, skb, ct, ctinfo, state->pf);
	/* decapsulated IPsec packets have the header of the outer packet */
	if (!gwmark_address_ethernet(skb) || skb_sec_path(skb))
		return leave(gn, GWMARK_STAT_learn_no_ethernet);
	if (passes_through(skb))
		return leave(gn, GWMARK_STAT_learn_bridged);
	if (ctinfo == IP_CT_RELATED && nf_ct_is_confirmed(ct))
		return leave(gn, GWMARK_STAT_learn_related);

	words = gwmark_flow_words(ct);
	gateway = words ? comes_from(gn, skb, READ_ONCE(words[GWMARK_FLOW_SOURCE])) : NULL;
	if (likely(gateway)) {
		gwmark_move_seen(gn, gateway);
		return leave(gn, GWMARK_STAT_learn_known);
	}
	return learn_gateway(gn, config, skb, ct, state);
}

/**
 * gwmark_core_learn_translated() - the same again, only for translated flows
 * @gn: namespace
 * @skb: packet in LOCAL_IN or FORWARD, its mark set by where it really goes
 * @state: of the hook
 *
 * Before NAT a packet does not tell whether it is for the VPN.
 *
 * Context: RCU read section.
 * Return: NF_ACCEPT.
 */
unsigned int gwmark_core_learn_translated(struct gwmark_net *gn, struct sk_buff *skb,
					  const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);
	const u32 *words;

	if (!ct || !(ct->status & IPS_NAT_MASK) || skb->dev->type != ARPHRD_ETHER ||
	    !gwmark_address_ethernet(skb))
		return NF_ACCEPT;
	/* also selected before NAT, and learnt there */
	words = gwmark_flow_words(ct);
	if (words && CTINFO2DIR(ctinfo) == IP_CT_DIR_ORIGINAL &&
	    comes_from(gn, skb, READ_ONCE(words[GWMARK_FLOW_SOURCE])))
		return NF_ACCEPT;
	return gwmark_core_learn(gn, skb, state);
}

static unsigned int forward(struct gwmark_net *gn, struct sk_buff *skb,
			    struct gwmark_gateway *gateway, u8 family, enum gwmark_stat sent)
{
	if (unlikely(!gwmark_gateway_usable(gateway)))
		return leave(gn, GWMARK_STAT_return_device_down);
	if (unlikely(!gwmark_address_forwarding(gn->net, skb->dev, family)))
		return leave(gn, GWMARK_STAT_return_forwarding_off);
	if (family == NFPROTO_IPV4)
		return gwmark_forward4(gn, skb, gateway, sent);
	if (unlikely(!gateway->rt6))
		return leave(gn, GWMARK_STAT_return_no_family);
	return gwmark_forward6(gn, skb, gateway, sent);
}

static unsigned int forward_uplink(struct gwmark_net *gn, struct sk_buff *skb,
				   struct nf_conn *ct, u8 family)
{
	struct gwmark_gateway *gateway = gwmark_uplink_answered(gn, ct);

	if (!gateway) {
		if (gwmark_address_routed(gn->net, skb, family))
			return leave(gn, GWMARK_STAT_uplink_routed);
		gateway = gwmark_uplink_find(gn);
	}
	if (!gateway)
		return leave(gn, GWMARK_STAT_uplink_none);
	return forward(gn, skb, gateway, family, GWMARK_STAT_uplink_sent);
}

/**
 * gwmark_core_return() - send a selected received packet to its gateway
 * @gn: namespace
 * @skb: packet at the very end of PRE_ROUTING
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * Context: RCU read section.
 * Return: netfilter verdict.
 */
unsigned int gwmark_core_return(struct gwmark_net *gn, struct sk_buff *skb, u8 family)
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
		return reply ? leave(gn, GWMARK_STAT_return_no_conntrack) : NF_ACCEPT;
	if (CTINFO2DIR(ctinfo) == IP_CT_DIR_ORIGINAL && !(reply && ct->master)) {
		if (!orig || skb->dev->type == ARPHRD_ETHER)
			return NF_ACCEPT;
		return forward_uplink(gn, skb, ct, family);
	}
	if (!reply)
		return NF_ACCEPT;
	if (nf_bridge_info_exists(skb))
		return leave(gn, GWMARK_STAT_return_bridged);
	id = gwmark_flow_source(ct);
	/* an answer to what came out of the tunnel: it goes there */
	if (!id && orig && skb->dev->type == ARPHRD_ETHER)
		return NF_ACCEPT;
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
 * gwmark_core_output() - send a selected packet of this host to its gateway
 * @gn: namespace
 * @skb: packet at the very end of LOCAL_OUT, with the dst that routing gave it
 * @out: device of that dst
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * Context: RCU read section.
 * Return: NF_ACCEPT; the stack continues with the dst of the packet.
 */
unsigned int gwmark_core_output(struct gwmark_net *gn, struct sk_buff *skb,
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
		return leave(gn, GWMARK_STAT_output_no_conntrack);
	replies = CTINFO2DIR(ctinfo) == IP_CT_DIR_REPLY;
	if (replies ? !reply : !orig)
		return NF_ACCEPT;
	if (out->flags & IFF_LOOPBACK || !gwmark_address_unicast(skb, family))
		return leave(gn, GWMARK_STAT_output_not_unicast);
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
			return replies ? NF_ACCEPT : leave(gn, GWMARK_STAT_uplink_routed);
		gateway = gwmark_uplink_find(gn);
		if (!gateway && replies)
			return NF_ACCEPT;
		if (!gateway)
			return leave(gn, GWMARK_STAT_uplink_none);
	}
	if (!gwmark_gateway_usable(gateway))
		return leave(gn, GWMARK_STAT_output_device_down);
	if (family == NFPROTO_IPV6 && !gateway->rt6)
		return leave(gn, GWMARK_STAT_output_no_family);
	if (learnt)
		gwmark_uplink_replied(gn, gateway);

	if (family == NFPROTO_IPV6)
		keep_path_mtu(skb);
	/* With a reference: dst_output() comes after this RCU read section. */
	dst = family == NFPROTO_IPV4 ? &gateway->rt4->dst : &gateway->rt6->dst;
	skb_dst_drop(skb);
	dst_hold(dst);
	skb_dst_set(skb, dst);
	return leave(gn, learnt ? GWMARK_STAT_output_sent : GWMARK_STAT_uplink_sent);
}
