/* SPDX-License-Identifier: GPL-2.0 */
/* The dsts that stand for a gateway. */
#ifndef _GWMARK_DST_H
#define _GWMARK_DST_H

#include <linux/netfilter.h>
#include <net/ip6_fib.h>
#include <net/route.h>

/**
 * struct gwmark_dst - the dsts of a gateway
 * @rt4: for IPv4
 * @rt6: for IPv6; NULL if IPv6 is off on this host
 */
struct gwmark_dst {
	struct rtable *rt4;
	struct rt6_info *rt6;
};

/* What dst.output is in these: where a packet goes out, for each family. */
struct gwmark_dst_output {
	int (*ipv4)(struct net *net, struct sock *sk, struct sk_buff *skb);
	int (*ipv6)(struct net *net, struct sock *sk, struct sk_buff *skb);
};

void gwmark_dst_use(const struct gwmark_dst_output *output);
int gwmark_dst_create(struct gwmark_dst *dst, struct net_device *dev, u32 id);
void gwmark_dst_destroy(struct gwmark_dst *dst);
u32 gwmark_dst_gateway(const struct dst_entry *dst);
void gwmark_dst_capture(struct sk_buff *skb, const u8 *mac);
bool gwmark_dst_captured(const struct sk_buff *skb, u8 *mac);

/* The dst for a family, or NULL if this host does not have the family. */
static inline struct dst_entry *gwmark_dst_of(const struct gwmark_dst *dst, u8 family)
{
	if (family == NFPROTO_IPV4)
		return &dst->rt4->dst;
	return dst->rt6 ? &dst->rt6->dst : NULL;
}

#endif /* _GWMARK_DST_H */
