/* SPDX-License-Identifier: GPL-2.0 */
/* Sending a packet to a gateway by its MAC, as a router would send it. */
#ifndef _GWMARK_TRANSMIT_H
#define _GWMARK_TRANSMIT_H

#include <linux/skbuff.h>
#include <net/dst.h>

#include "stats.h"

struct gwmark_gateway;
struct gwmark_net;

int gwmark_transmit_dst_create(struct gwmark_gateway *gateway);
void gwmark_transmit_dst_destroy(struct gwmark_gateway *gateway);
struct gwmark_gateway *gwmark_transmit_gateway(struct gwmark_net *gn,
					       const struct sk_buff *skb);
int gwmark_transmit_frame(struct net *net, struct sock *sk, struct sk_buff *skb);
int gwmark_transmit_segments(struct net *net, struct sock *sk, struct sk_buff *skb,
			     int (*send)(struct net *, struct sock *, struct sk_buff *));
int gwmark_transmit_drop(struct net *net, struct sk_buff *skb,
			 enum gwmark_stat stat, int error);
int gwmark_transmit_cgroup(struct net *net, struct sock *sk, struct sk_buff *skb);
void gwmark_transmit_attach(struct sk_buff *skb, struct dst_entry *dst);

unsigned int gwmark_forward4(struct gwmark_net *gn, struct sk_buff *skb,
			     struct gwmark_gateway *gateway, enum gwmark_stat sent);
unsigned int gwmark_forward6(struct gwmark_net *gn, struct sk_buff *skb,
			     struct gwmark_gateway *gateway, enum gwmark_stat sent);
int gwmark_output4(struct net *net, struct sock *sk, struct sk_buff *skb);
int gwmark_output6(struct net *net, struct sock *sk, struct sk_buff *skb);

#endif /* _GWMARK_TRANSMIT_H */
