/* SPDX-License-Identifier: GPL-2.0 */
/* What a conntrack entry remembers: two gateway ids in its labels. */
#ifndef _GWMARK_FLOW_H
#define _GWMARK_FLOW_H

#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_labels.h>

/* Words of a flow, counted from the module parameter label_word. */
enum gwmark_flow_word {
	GWMARK_FLOW_SOURCE,
	GWMARK_FLOW_DESTINATION,
};

static inline u32 gwmark_flow_mark(const struct nf_conn *ct)
{
#ifdef CONFIG_NF_CONNTRACK_MARK
	return READ_ONCE(ct->mark);
#else
	return 0;
#endif
}

static inline void gwmark_flow_set_mark(struct nf_conn *ct, u32 mark)
{
#ifdef CONFIG_NF_CONNTRACK_MARK
	WRITE_ONCE(ct->mark, mark);
#endif
}

u32 *gwmark_flow_words(const struct nf_conn *ct);
u32 *gwmark_flow_words_create(struct nf_conn *ct);
bool gwmark_flow_renewable(const struct nf_conn *ct);
struct nf_conn *gwmark_flow_renew(struct sk_buff *skb, struct nf_conn *ct,
				  const struct nf_hook_state *state);
void gwmark_flow_keep(struct nf_conn *ct);
u32 gwmark_flow_source(const struct nf_conn *ct);
unsigned int gwmark_flow_label_users(const struct net *net);

#endif /* _GWMARK_FLOW_H */
