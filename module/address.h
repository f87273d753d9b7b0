/* SPDX-License-Identifier: GPL-2.0 */
/* Questions about the addresses of a packet, for either family. */
#ifndef _GWMARK_ADDRESS_H
#define _GWMARK_ADDRESS_H

#include <linux/skbuff.h>

bool gwmark_address_source_onlink(const struct sk_buff *skb, u8 family);
bool gwmark_address_forwarding(struct net *net, const struct net_device *dev, u8 family);
bool gwmark_address_own(struct net_device *dev, const u8 *mac);
bool gwmark_address_bridged(const struct sk_buff *skb);
bool gwmark_address_source_valid(struct net *net, const struct sk_buff *skb, int oif);
bool gwmark_address_unicast(const struct sk_buff *skb, u8 family);
bool gwmark_address_routed(struct net *net, struct sk_buff *skb, u8 family);
bool gwmark_address_explained(const struct sk_buff *skb, const struct net_device *out,
			      u8 family);
bool gwmark_address_ethernet(const struct sk_buff *skb);

#endif /* _GWMARK_ADDRESS_H */
