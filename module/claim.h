/* SPDX-License-Identifier: GPL-2.0 */
/* Claims: which MAC claimed which address, in ARP and ND. */
#ifndef _GWMARK_CLAIM_H
#define _GWMARK_CLAIM_H

#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>

struct gwmark_net;
struct seq_file;

int gwmark_claims_init(struct gwmark_net *gn);
void gwmark_claims_exit(struct gwmark_net *gn);
void gwmark_claim_arp(struct gwmark_net *gn, const struct sk_buff *skb,
		      struct net_device *dev);
void gwmark_claim_nd(struct gwmark_net *gn, const struct sk_buff *skb,
		     struct net_device *dev);
void gwmark_claim_note(struct gwmark_net *gn, const struct net_device *dev, u8 family,
		       const union nf_inet_addr *addr, const u8 *mac);
void gwmark_claims_show(struct gwmark_net *gn, struct seq_file *seq, int ifindex,
			const u8 *mac);

#endif /* _GWMARK_CLAIM_H */
