/* SPDX-License-Identifier: GPL-2.0 */
/* Hearing who claims an address, in ARP and ND. */
#ifndef _GWMARK_HEAR_H
#define _GWMARK_HEAR_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>

struct gwmark_net;

void gwmark_hear_arp(struct gwmark_net *gn, const struct sk_buff *skb,
		     struct net_device *dev);
void gwmark_hear_nd(struct gwmark_net *gn, struct sk_buff *skb, struct net_device *dev);

#endif /* _GWMARK_HEAR_H */
