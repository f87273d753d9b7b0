// SPDX-License-Identifier: GPL-2.0
/*
 * What a conntrack entry remembers: two gateway ids in its labels.
 *
 * The labels extension is given to selected flows only, while their entry is not
 * yet in the table; after that an entry cannot grow. Its memory goes with the
 * entry, so nothing is to be cleaned up here. Each id is a 32-bit word, written
 * and read whole. Other users of labels keep the other words.
 */

#include <linux/module.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_extend.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_seqadj.h>
#include <net/netfilter/nf_conntrack_synproxy.h>
#include <net/netfilter/nf_conntrack_timeout.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "flow.h"

static unsigned int label_word = 2;
module_param(label_word, uint, 0444);
MODULE_PARM_DESC(label_word, "first of our two 32-bit words of the conntrack label, 0 to 2 (default 2)");

static u32 *words_of(struct nf_conn_labels *labels)
{
	BUILD_BUG_ON(sizeof(labels->bits) != 4 * sizeof(u32));
	return labels ? (u32 *)labels->bits + min(label_word, 2U) : NULL;
}

/**
 * gwmark_flow_words() - the words of a flow
 * @ct: conntrack entry
 *
 * Context: any that may look at @ct. Access the words with READ_ONCE and
 * WRITE_ONCE.
 * Return: words indexed by enum gwmark_flow_word, or NULL if it has none.
 */
u32 *gwmark_flow_words(const struct nf_conn *ct)
{
	return words_of(nf_ct_labels_find(ct));
}

/**
 * gwmark_flow_words_create() - the words of a flow, made if need be
 * @ct: conntrack entry that has no words and is unconfirmed
 *
 * Context: the packet that creates @ct; does not sleep.
 * Return: the words, or NULL without memory.
 */
u32 *gwmark_flow_words_create(struct nf_conn *ct)
{
	return words_of(nf_ct_ext_add(ct, NF_CT_EXT_LABELS, GFP_ATOMIC));
}

/*
 * Is it like the first packet of its flow? A packet that goes on in a connection would be
 * new to conntrack: filters drop such, and the connection would die of our help.
 */
static bool begins(const struct nf_conn *ct)
{
	switch (nf_ct_protonum(ct)) {
	case IPPROTO_TCP:
		/* a SYN again: what else comes in this state is invalid */
		return READ_ONCE(ct->proto.tcp.state) == TCP_CONNTRACK_SYN_SENT;
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		return false;
	}
	return true;
}

/**
 * gwmark_flow_renewable() - may a flow be tracked again?
 * @ct: confirmed conntrack entry without words
 *
 * Only where the new entry will be the old one again: nothing was translated, nobody
 * announced it, no helper, SYN proxy, timeout policy or flowtable has it, and its
 * protocol has no beginning, or it is at it.
 */
bool gwmark_flow_renewable(const struct nf_conn *ct)
{
	if (ct->status & (IPS_NAT_MASK | IPS_OFFLOAD) || ct->master || nfct_help(ct))
		return false;
	if (nfct_synproxy(ct) || nfct_seqadj(ct) || nf_ct_timeout_find(ct))
		return false;
	if (nf_ct_zone_id(nf_ct_zone(ct), IP_CT_DIR_ORIGINAL) != NF_CT_DEFAULT_ZONE_ID)
		return false;
	return begins(ct);
}

/**
 * gwmark_flow_renew() - give a packet a new conntrack entry for its old one
 * @skb: packet in PRE_ROUTING before NAT, original direction
 * @ct: its entry, gwmark_flow_renewable()
 * @state: of the hook
 *
 * A flow can be older than the rule that selects it: it began before its client
 * came back, before the sidecar, or before this module.
 *
 * Context: RCU read section, bottom half.
 * Return: the entry, unconfirmed and with the mark of the old one; NULL if the
 * packet has none now.
 */
struct nf_conn *gwmark_flow_renew(struct sk_buff *skb, struct nf_conn *ct,
				  const struct nf_hook_state *state)
{
	u32 mark = gwmark_flow_mark(ct);
	enum ip_conntrack_info ctinfo;

	nf_ct_kill(ct);
	nf_reset_ct(skb);
	if (nf_conntrack_in(skb, state) != NF_ACCEPT)
		return NULL;
	ct = nf_ct_get(skb, &ctinfo);
	if (!ct || nf_ct_is_confirmed(ct))
		return NULL;
	gwmark_flow_set_mark(ct, mark);
	return ct;
}

/**
 * gwmark_flow_keep() - keep a flow out of flowtables
 * @ct: unconfirmed conntrack entry
 *
 * What a flowtable has passes none of our hooks, and a flowtable asks routing for both
 * ways, which has none to a gateway. It takes no flow that may have a helper, since helpers
 * have to see each packet: an entry with words gets room for one, which stays empty.
 * Without memory, it does not.
 *
 * Context: the last hook in FORWARD of the packet that creates @ct: whoever has a helper
 * for the flow has given it by then. Does not sleep.
 */
void gwmark_flow_keep(struct nf_conn *ct)
{
	if (gwmark_flow_words(ct) && !nfct_help(ct))
		nf_ct_helper_ext_add(ct, GFP_ATOMIC);
}

/**
 * gwmark_flow_source() - id of the gateway that a flow came from
 * @ct: conntrack entry
 *
 * A flow that another one announced (the data connection of FTP) has the source
 * of the one that announced it, unless it has its own.
 *
 * Return: the id, 0 if there is none.
 */
u32 gwmark_flow_source(const struct nf_conn *ct)
{
	const u32 *words = gwmark_flow_words(ct);
	u32 id = words ? READ_ONCE(words[GWMARK_FLOW_SOURCE]) : 0;

	if (!id && ct->master) {
		words = gwmark_flow_words(ct->master);
		id = words ? READ_ONCE(words[GWMARK_FLOW_SOURCE]) : 0;
	}
	return id;
}

/**
 * gwmark_flow_label_users() - who else uses conntrack labels?
 * @net: namespace
 *
 * Return: rules and programs that asked for labels there; which bits, they do not say.
 */
unsigned int gwmark_flow_label_users(const struct net *net)
{
	return nf_connlabels_users(net);
}
