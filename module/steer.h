/* SPDX-License-Identifier: GPL-2.0 */
/* Which gateway a packet is for. Verdicts are netfilter's. */
#ifndef _GWMARK_STEER_H
#define _GWMARK_STEER_H

#include <linux/netfilter.h>
#include <linux/skbuff.h>

struct gwmark_net;

unsigned int gwmark_steer_received(struct gwmark_net *gn, struct sk_buff *skb, u8 family);
unsigned int gwmark_steer_output(struct gwmark_net *gn, struct sk_buff *skb,
				 const struct net_device *out, u8 family);

#endif /* _GWMARK_STEER_H */
