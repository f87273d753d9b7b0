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

u32 *gwmark_flow_words(const struct nf_conn *ct);
u32 *gwmark_flow_words_create(struct nf_conn *ct);
u32 gwmark_flow_source(const struct nf_conn *ct);

#endif /* _GWMARK_FLOW_H */
