// SPDX-License-Identifier: GPL-2.0
/*
 * The dsts that stand for a gateway.
 *
 * Why a dst of our own: icmp_send() is silent for a packet without one, NAT at
 * POST_ROUTING dereferences it, and fragments inherit it. It names the gateway
 * by id, in a field that nobody reads as long as the dst has no next hop, so a
 * packet that waits in a queue does not keep a gateway alive. IPsec may look at it:
 * a policy that matches is laid over it, as over any other.
 */

#include <linux/etherdevice.h>
#include <linux/ipv6.h>
#include <net/dst_metadata.h>
#include <net/ip6_route.h>

#include "dst.h"

static const struct gwmark_dst_output *output;

/**
 * gwmark_dst_use() - say where packets with a dst of ours go out
 * @functions: stay valid until no dst is left
 *
 * Context: before the first gwmark_dst_create().
 */
void gwmark_dst_use(const struct gwmark_dst_output *functions)
{
	output = functions;
}

/**
 * gwmark_dst_create() - make the dsts of a gateway
 * @dst: where to
 * @dev: device of the gateway
 * @id: id of the gateway, not 0
 *
 * Context: does not sleep.
 * Return: 0 or -ENOMEM.
 */
int gwmark_dst_create(struct gwmark_dst *dst, struct net_device *dev, u32 id)
{
	dst->rt4 = rt_dst_alloc(dev, 0, RTN_UNICAST, false);
	if (!dst->rt4)
		return -ENOMEM;
	dst->rt4->rt_is_input = 1;
	dst->rt4->rt_gw4 = (__force __be32)id;
	dst->rt4->dst.output = output->ipv4;

	if (!ipv6_mod_enabled())
		return 0;
	dst->rt6 = ip6_dst_alloc(dev_net(dev), dev, 0);
	if (!dst->rt6) {
		gwmark_dst_destroy(dst);
		return -ENOMEM;
	}
	dst->rt6->rt6i_gateway.s6_addr32[0] = (__force __be32)id;
	dst->rt6->dst.output = output->ipv6;
	return 0;
}

static void dst_end(struct dst_entry *dst)
{
	/* Packets that still hold it get a dst that discards. */
	dst_dev_put(dst);
	dst_release(dst);
}

/**
 * gwmark_dst_destroy() - end the dsts of a gateway
 * @dst: no packet can find them any more
 *
 * Context: does not sleep.
 */
void gwmark_dst_destroy(struct gwmark_dst *dst)
{
	if (dst->rt4)
		dst_end(&dst->rt4->dst);
	if (dst->rt6)
		dst_end(&dst->rt6->dst);
	dst->rt4 = NULL;
	dst->rt6 = NULL;
}

/**
 * gwmark_dst_gateway() - which gateway does a dst stand for?
 * @dst: any dst
 *
 * Context: any that may look at @dst.
 * Return: the gateway's id, which may be no longer valid; 0 if the dst is not ours.
 */
u32 gwmark_dst_gateway(const struct dst_entry *dst)
{
	if (dst->output == output->ipv4)
		return (__force u32)container_of(dst, struct rtable, dst)->rt_gw4;
	if (dst->output == output->ipv6)
		return (__force u32)
			container_of(dst, struct rt6_info, dst)->rt6i_gateway.s6_addr32[0];
	return 0;
}

/**
 * gwmark_dst_capture() - note on a frame which MAC it was sent to
 * @skb: frame that has no dst yet
 * @mac: the MAC
 *
 * A metadata dst says what was around a packet, until it is routed; the kernel's
 * tunnels use it. Without memory for one, nothing is noted.
 *
 * Context: does not sleep.
 */
void gwmark_dst_capture(struct sk_buff *skb, const u8 *mac)
{
	struct metadata_dst *md = metadata_dst_alloc(ETH_ALEN, METADATA_HW_PORT_MUX,
						     GFP_ATOMIC | __GFP_NOWARN);

	if (!md)
		return;
	/* other users of the type name a device */
	md->u.port_info.lower_dev = NULL;
	ether_addr_copy((u8 *)(md + 1), mac);
	skb_dst_drop(skb);
	skb_dst_set(skb, &md->dst);
}

/**
 * gwmark_dst_captured() - which MAC was a captured frame sent to?
 * @skb: packet before routing
 * @mac: the MAC
 *
 * Return: false if it was not captured, or nothing was noted.
 */
bool gwmark_dst_captured(const struct sk_buff *skb, u8 *mac)
{
	const struct metadata_dst *md = skb_metadata_dst(skb);

	if (!md || md->type != METADATA_HW_PORT_MUX || md->u.port_info.lower_dev)
		return false;
	ether_addr_copy(mac, (const u8 *)(md + 1));
	return true;
}
