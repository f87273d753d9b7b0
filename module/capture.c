// SPDX-License-Identifier: GPL-2.0
/*
 * Capture: a bridged frame goes up into the local IP stack.
 *
 * It is addressed to the bridge, and goes on: the bridge takes it in as any frame for
 * itself, with all that it asks of one (state of the port, VLANs, locked ports), and
 * learns where its sender is. The MAC that it was sent to is noted on it, so that
 * learning sees the router that its sender meant.
 */

#include <linux/etherdevice.h>
#include <linux/if_bridge.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>

#include "address.h"
#include "capture.h"
#include "dst.h"
#include "net.h"
#include "stats.h"

/*
 * The device that shows a frame to the IP stack, once the bridge has taken it in: a
 * bridge is in some of its VLANs itself, and its VLAN devices show the tagged ones.
 */
static struct net_device *device_above(struct net_device *bridge, const struct net_device *port,
				       const struct sk_buff *skb)
{
	bool tagged = skb_vlan_tag_present(skb) && skb_vlan_tag_get_id(skb);
	u16 vid = tagged ? skb_vlan_tag_get_id(skb) : 0;
	__be16 proto = skb->vlan_proto;
	struct bridge_vlan_info info;
	u16 filtered;

	if (br_vlan_enabled(bridge)) {
		if (br_vlan_get_proto(bridge, &filtered))
			return NULL;
		if (tagged && proto != htons(filtered))
			return NULL;
		proto = htons(filtered);
		if (!tagged && br_vlan_get_pvid_rcu(port, &vid))
			return NULL;
		if (!vid || br_vlan_get_info_rcu(bridge, vid, &info))
			return NULL;
		if (info.flags & BRIDGE_VLAN_INFO_UNTAGGED)
			return bridge;
	}
	return vid ? __vlan_find_dev_deep_rcu(bridge, proto, vid) : bridge;
}

/**
 * gwmark_capture() - take a selected frame off its bridge
 * @gn: namespace
 * @skb: frame in the bridge's PRE_ROUTING, behind nftables, before br_netfilter
 * @state: of the hook
 *
 * Context: RCU read section, bottom half.
 * Return: NF_ACCEPT; a frame that is taken goes to the bridge itself.
 */
unsigned int gwmark_capture(struct gwmark_net *gn, struct sk_buff *skb,
			    const struct nf_hook_state *state)
{
	const struct gwmark_config *config = rcu_dereference(gn->config);
	struct net_device *bridge;

	if (likely(!gwmark_mark_matches(&config->orig, skb->mark)))
		return NF_ACCEPT;
	if (skb->protocol != htons(ETH_P_IP) && skb->protocol != htons(ETH_P_IPV6))
		return gwmark_leave(gn, GWMARK_STAT_capture_not_ip);
	bridge = netdev_master_upper_dev_get_rcu(state->in);
	if (!bridge || !netif_is_bridge_master(bridge))
		return gwmark_leave(gn, GWMARK_STAT_capture_no_bridge);
	if (!(bridge->flags & IFF_UP))
		return gwmark_leave(gn, GWMARK_STAT_capture_bridge_down);
	if (!is_unicast_ether_addr(eth_hdr(skb)->h_dest) ||
	    gwmark_address_own(bridge, eth_hdr(skb)->h_dest))
		return gwmark_leave(gn, GWMARK_STAT_capture_own);
	if (!device_above(bridge, state->in, skb))
		return gwmark_leave(gn, GWMARK_STAT_capture_no_vlan);
	/* a program that listens may share the frame */
	if (skb_ensure_writable(skb, 0))
		return gwmark_leave(gn, GWMARK_STAT_capture_no_memory);
	gwmark_dst_capture(skb, eth_hdr(skb)->h_dest);
	ether_addr_copy(eth_hdr(skb)->h_dest, bridge->dev_addr);
	skb->pkt_type = PACKET_HOST;
	return gwmark_leave(gn, GWMARK_STAT_capture_taken);
}
