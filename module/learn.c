// SPDX-License-Identifier: GPL-2.0
/* Learning where a packet came from. */

#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <net/xfrm.h>

#include "address.h"
#include "dst.h"
#include "flow.h"
#include "gateway.h"
#include "learn.h"
#include "move.h"
#include "net.h"
#include "stats.h"
#include "uplink.h"

static struct gwmark_gateway *gateway_of(struct gwmark_net *gn, struct sk_buff *skb,
					 const u8 *mac)
{
	struct gwmark_gateway *gateway = gwmark_gateway_find(gn, skb->dev, mac);

	return gateway ?: gwmark_gateway_add(gn, skb->dev, mac, false);
}

/* A captured frame was bound for a router of its sender's choice: remember it. */
static u32 destination_of(struct gwmark_net *gn, struct sk_buff *skb)
{
	struct gwmark_gateway *gateway;
	u8 mac[ETH_ALEN] __aligned(2);

	if (!gwmark_dst_captured(skb, mac))
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

	if (!is_valid_ether_addr(eth->h_source) || gwmark_address_own(skb->dev, eth->h_source))
		return gwmark_leave(gn, GWMARK_STAT_learn_bad_mac);
	if (!config->learn_onlink && gwmark_address_source_onlink(skb, state->pf))
		return gwmark_leave(gn, GWMARK_STAT_learn_onlink);
	if (!words && nf_ct_is_confirmed(ct) && !gwmark_flow_renewable(ct))
		return gwmark_leave(gn, GWMARK_STAT_learn_too_late);
	gateway = gateway_of(gn, skb, eth->h_source);
	if (IS_ERR(gateway))
		return gwmark_leave(gn, PTR_ERR(gateway) == -ENOSPC ? GWMARK_STAT_learn_table_full :
				 GWMARK_STAT_learn_no_memory);
	if (!words && nf_ct_is_confirmed(ct)) {
		ct = gwmark_flow_renew(skb, ct, state);
		if (!ct)
			return gwmark_leave(gn, GWMARK_STAT_learn_no_conntrack);
		gwmark_stats_inc(gn, GWMARK_STAT_learn_renewed);
	}
	if (!words)
		words = gwmark_flow_words_create(ct);
	if (!words)
		return gwmark_leave(gn, GWMARK_STAT_learn_no_memory);

	gwmark_move_seen(gn, gateway);
	this_cpu_inc(gateway->count->learned);
	destination = destination_of(gn, skb);
	if (destination)
		WRITE_ONCE(words[GWMARK_FLOW_DESTINATION], destination);
	old = READ_ONCE(words[GWMARK_FLOW_SOURCE]);
	WRITE_ONCE(words[GWMARK_FLOW_SOURCE], gateway->id);
	if (old)
		gwmark_uplink_followed(gn, old, gateway, ct);
	return gwmark_leave(gn, old ? GWMARK_STAT_learn_changed : GWMARK_STAT_learn_new);
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
	if (!gwmark_address_ethernet(skb) || skb_sec_path(skb) || gwmark_address_bridged(skb) ||
	    skb->pkt_type != PACKET_HOST)
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
	    gwmark_address_own(skb->dev, eth_hdr(skb)->h_source))
		return NF_ACCEPT;
	if (!config->learn_onlink && gwmark_address_source_onlink(skb, family))
		return NF_ACCEPT;
	gateway = gateway_of(gn, skb, eth_hdr(skb)->h_source);
	if (IS_ERR(gateway))
		return NF_ACCEPT;
	gwmark_move_seen(gn, gateway);
	WRITE_ONCE(words[GWMARK_FLOW_DESTINATION], gateway->id);
	return gwmark_leave(gn, GWMARK_STAT_learn_answer);
}

/**
 * gwmark_learn() - remember where a selected packet came from
 * @gn: namespace
 * @skb: packet in PRE_ROUTING, behind conntrack, before NAT; or later, if translated
 * @state: of the hook
 *
 * Context: RCU read section.
 * Return: NF_ACCEPT.
 */
unsigned int gwmark_learn(struct gwmark_net *gn, struct sk_buff *skb,
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
		return gwmark_leave(gn, GWMARK_STAT_learn_no_conntrack);
	if (CTINFO2DIR(ctinfo) != IP_CT_DIR_ORIGINAL)
		return learn_answer(gn, config, skb, ct, ctinfo, state->pf);
	/* decapsulated IPsec packets have the header of the outer packet */
	if (!gwmark_address_ethernet(skb) || skb_sec_path(skb))
		return gwmark_leave(gn, GWMARK_STAT_learn_no_ethernet);
	if (gwmark_address_bridged(skb))
		return gwmark_leave(gn, GWMARK_STAT_learn_bridged);
	if (unlikely(skb->pkt_type != PACKET_HOST))
		return gwmark_leave(gn, GWMARK_STAT_learn_not_host);
	if (ctinfo == IP_CT_RELATED && nf_ct_is_confirmed(ct))
		return gwmark_leave(gn, GWMARK_STAT_learn_related);

	words = gwmark_flow_words(ct);
	gateway = words ? comes_from(gn, skb, READ_ONCE(words[GWMARK_FLOW_SOURCE])) : NULL;
	if (likely(gateway)) {
		gwmark_move_seen(gn, gateway);
		return gwmark_leave(gn, GWMARK_STAT_learn_known);
	}
	return learn_gateway(gn, config, skb, ct, state);
}

/**
 * gwmark_learn_translated() - the same again, only for translated flows
 * @gn: namespace
 * @skb: packet in LOCAL_IN or FORWARD, its mark set by where it really goes
 * @state: of the hook
 *
 * Before NAT a packet does not tell whether it is for the VPN.
 *
 * Context: RCU read section.
 * Return: NF_ACCEPT.
 */
unsigned int gwmark_learn_translated(struct gwmark_net *gn, struct sk_buff *skb,
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
	return gwmark_learn(gn, skb, state);
}

