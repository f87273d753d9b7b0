/* SPDX-License-Identifier: GPL-2.0 */
/* What to do with a packet. Verdicts are netfilter's. */
#ifndef _GWMARK_CORE_H
#define _GWMARK_CORE_H

#include <linux/netfilter.h>
#include <linux/skbuff.h>

struct gwmark_net;

unsigned int gwmark_core_learn(struct gwmark_net *gn, struct sk_buff *skb,
			       const struct nf_hook_state *state);
unsigned int gwmark_core_learn_translated(struct gwmark_net *gn, struct sk_buff *skb,
					  const struct nf_hook_state *state);
unsigned int gwmark_core_return(struct gwmark_net *gn, struct sk_buff *skb, u8 family);
unsigned int gwmark_core_output(struct gwmark_net *gn, struct sk_buff *skb,
				const struct net_device *out, u8 family);

#endif /* _GWMARK_CORE_H */
