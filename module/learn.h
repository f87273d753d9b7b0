/* SPDX-License-Identifier: GPL-2.0 */
/* Learning where a packet came from. Verdicts are netfilter's. */
#ifndef _GWMARK_LEARN_H
#define _GWMARK_LEARN_H

#include <linux/netfilter.h>
#include <linux/skbuff.h>

struct gwmark_net;

unsigned int gwmark_learn(struct gwmark_net *gn, struct sk_buff *skb,
			  const struct nf_hook_state *state);
unsigned int gwmark_learn_translated(struct gwmark_net *gn, struct sk_buff *skb,
				     const struct nf_hook_state *state);

#endif /* _GWMARK_LEARN_H */
