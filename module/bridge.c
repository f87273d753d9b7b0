// SPDX-License-Identifier: GPL-2.0
/*
 * Capture: a bridged frame goes up into the local IP stack, with the MAC that it
 * was sent to, so that learning sees the router that its sender meant.
 */

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>

#include "bridge.h"
#include "gateway.h"
#include "net.h"
#include "stats.h"

/* Well below the 300 s after which a bridge forgets a MAC. */
#define FDB_REFRESH_INTERVAL	(60 * HZ)

static unsigned int leave(struct gwmark_net *gn, enum gwmark_stat stat)
{
	gwmark_stats_inc(gn, stat);
	return NF_ACCEPT;
}

/*
 * The bridge learns behind this hook, so it does not see captured frames, and
 * would in time flood our answers to all ports. Now and then it gets the head of
 * one, addressed to itself, with a type that nobody receives.
 */
static void refresh_fdb(struct gwmark_gateway *gateway, const struct sk_buff *skb,
			const struct net_device *bridge, const struct nf_hook_state *state)
{
	unsigned long last = READ_ONCE(gateway->fdb_refreshed), now = jiffies | 1;
	struct sk_buff *copy;

	if (last && time_before(now, last + FDB_REFRESH_INTERVAL))
		return;
	WRITE_ONCE(gateway->fdb_refreshed, now);
	copy = skb_copy(skb, GFP_ATOMIC);
	if (!copy)
		return;
	ether_addr_copy(eth_hdr(copy)->h_dest, bridge->dev_addr);
	eth_hdr(copy)->h_proto = htons(ETH_P_LOOPBACK);
	copy->protocol = htons(ETH_P_LOOPBACK);
	copy->mark = 0;
	if (copy->len > ETH_ZLEN - ETH_HLEN)
		skb_trim(copy, ETH_ZLEN - ETH_HLEN);
	skb_gso_reset(copy);
	copy->ip_summed = CHECKSUM_NONE;
	state->okfn(state->net, state->sk, copy);
}

/**
 * gwmark_bridge_capture() - take a selected frame off its bridge
 * @gn: namespace
 * @skb: frame in the bridge's PRE_ROUTING, behind nftables, before br_netfilter
 * @state: of the hook
 *
 * Context: RCU read section, bottom half.
 * Return: NF_ACCEPT or NF_STOLEN.
 */
unsigned int gwmark_bridge_capture(struct gwmark_net *gn, struct sk_buff *skb,
				   const struct nf_hook_state *state)
{
	const struct gwmark_config *config = rcu_dereference(gn->config);
	struct gwmark_gateway *gateway;
	struct net_device *bridge, *dev;

	if (likely(!gwmark_mark_matches(&config->orig, skb->mark)))
		return NF_ACCEPT;
	if (skb->protocol != htons(ETH_P_IP) && skb->protocol != htons(ETH_P_IPV6))
		return leave(gn, GWMARK_STAT_capture_not_ip);
	bridge = netdev_master_upper_dev_get_rcu(state->in);
	if (!bridge || !netif_is_bridge_master(bridge))
		return leave(gn, GWMARK_STAT_capture_no_bridge);
	if (!(bridge->flags & IFF_UP))
		return leave(gn, GWMARK_STAT_capture_bridge_down);
	/* what the bridge itself receives */
	if (ether_addr_equal(eth_hdr(skb)->h_dest, bridge->dev_addr) ||
	    !is_unicast_ether_addr(eth_hdr(skb)->h_dest))
		return NF_ACCEPT;
	dev = bridge;
	if (skb_vlan_tag_present(skb) && skb_vlan_tag_get_id(skb)) {
		dev = __vlan_find_dev_deep_rcu(bridge, skb->vlan_proto,
					       skb_vlan_tag_get_id(skb));
		if (!dev)
			return leave(gn, GWMARK_STAT_capture_no_vlan);
	}

	gateway = gwmark_gateway_find(gn, dev, eth_hdr(skb)->h_source);
	if (gateway)
		refresh_fdb(gateway, skb, bridge, state);
	gwmark_stats_inc(gn, GWMARK_STAT_capture_taken);
	skb->dev = bridge;
	skb->pkt_type = PACKET_HOST;
	netif_receive_skb(skb);
	return NF_STOLEN;
}
