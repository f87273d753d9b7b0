/* SPDX-License-Identifier: GPL-2.0 */
/* Capture: a bridged frame goes up into the local IP stack. */
#ifndef _GWMARK_CAPTURE_H
#define _GWMARK_CAPTURE_H

#include <linux/netfilter.h>
#include <linux/skbuff.h>

struct gwmark_net;

unsigned int gwmark_capture(struct gwmark_net *gn, struct sk_buff *skb,
			    const struct nf_hook_state *state);

#endif /* _GWMARK_CAPTURE_H */
