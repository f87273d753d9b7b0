/* SPDX-License-Identifier: GPL-2.0 */
/* Sending a packet to a gateway by its MAC, as a router would send it. */
#ifndef _GWMARK_SEND_H
#define _GWMARK_SEND_H

#include <linux/skbuff.h>

#include "dst.h"
#include "stats.h"

struct gwmark_gateway;
struct gwmark_net;

/* A step on the way out, which consumes the packet. */
typedef int (*gwmark_send_step)(struct net *net, struct sock *sk, struct sk_buff *skb);

int gwmark_send_frame(struct net *net, struct sock *sk, struct sk_buff *skb);
int gwmark_send_drop(struct net *net, struct sk_buff *skb, enum gwmark_stat stat, int error);
int gwmark_send_forwarded(struct net *net, struct sock *sk, struct sk_buff *skb);
int gwmark_send_output(struct net *net, struct sock *sk, struct sk_buff *skb, u8 family,
		       gwmark_send_step finish);
int gwmark_send_finish(struct net *net, struct sock *sk, struct sk_buff *skb,
		       unsigned int mtu, gwmark_send_step send_fragments);
void gwmark_send_attach(struct sk_buff *skb, struct dst_entry *dst);
unsigned int gwmark_send_drop_forward(struct gwmark_net *gn, enum gwmark_stat stat);
bool gwmark_send_too_big(const struct sk_buff *skb, unsigned int mtu, unsigned int frag_max_size);

unsigned int gwmark_send_forward4(struct gwmark_net *gn, struct sk_buff *skb,
				  struct gwmark_gateway *gateway, enum gwmark_stat sent);
unsigned int gwmark_send_forward6(struct gwmark_net *gn, struct sk_buff *skb,
				  struct gwmark_gateway *gateway, enum gwmark_stat sent);
int gwmark_send_output4(struct net *net, struct sock *sk, struct sk_buff *skb);
int gwmark_send_output6(struct net *net, struct sock *sk, struct sk_buff *skb);

#endif /* _GWMARK_SEND_H */
