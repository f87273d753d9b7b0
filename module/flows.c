// SPDX-License-Identifier: GPL-2.0
/* /proc/net/gwmark/flows: the conntrack entries that have a gateway. */

#include <linux/in.h>
#include <linux/seq_file.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_l4proto.h>

#include <uapi/gwmark.h>

#include "flow.h"
#include "net.h"
#include "proc.h"

/*
 * struct flows_state - a reader's place
 * @p: the namespace, must be first
 * @hash: conntrack's table, valid in the RCU read section of one start to stop
 * @size: its number of buckets
 */
struct flows_state {
	struct seq_net_private p;
	struct hlist_nulls_head *hash;
	unsigned int size;
};

const unsigned int gwmark_flows_state_size = sizeof(struct flows_state);

/*
 * Position 0 is the first line, position N bucket N - 1: a reader that comes back
 * continues with a whole bucket and need not count entries, so a table of any size
 * is read in linear time.
 */
static void *bucket_at(struct flows_state *state, loff_t *pos)
{
	if (!*pos)
		return SEQ_START_TOKEN;
	for (; *pos <= state->size; (*pos)++)
		if (!hlist_nulls_empty(&state->hash[*pos - 1]))
			return &state->hash[*pos - 1];
	return NULL;
}

/*
 * Resizing replaces both under all of conntrack's locks, so either of them shows
 * the two together; the old table stays until a grace period has passed.
 */
static void table_get(struct flows_state *state)
{
	local_bh_disable();
	nf_conntrack_lock(&nf_conntrack_locks[0]);
	/* its declaration lacks the annotation for sparse */
	__acquire(&nf_conntrack_locks[0]);
	state->hash = nf_conntrack_hash;
	state->size = nf_conntrack_htable_size;
	spin_unlock(&nf_conntrack_locks[0]);
	local_bh_enable();
}

static void *flows_start(struct seq_file *seq, loff_t *pos)
	__acquires(RCU)
{
	struct flows_state *state = seq->private;

	rcu_read_lock();
	table_get(state);
	return bucket_at(state, pos);
}

static void *flows_next(struct seq_file *seq, void *v, loff_t *pos)
{
	(*pos)++;
	return bucket_at(seq->private, pos);
}

static void flows_stop(struct seq_file *seq, void *v)
	__releases(RCU)
{
	rcu_read_unlock();
}

static bool has_ports(u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ||
	       protocol == IPPROTO_UDPLITE || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_DCCP;
}

static void show_tuple(struct seq_file *seq, const char *prefix,
		       const struct nf_conntrack_tuple *tuple)
{
	if (tuple->src.l3num == NFPROTO_IPV4)
		seq_printf(seq, "%ssrc=%pI4 %sdst=%pI4 ", prefix, &tuple->src.u3.ip,
			   prefix, &tuple->dst.u3.ip);
	else
		seq_printf(seq, "%ssrc=%pI6c %sdst=%pI6c ", prefix, &tuple->src.u3.in6,
			   prefix, &tuple->dst.u3.in6);
	if (has_ports(tuple->dst.protonum))
		seq_printf(seq, "%ssport=%u %sdport=%u ", prefix, ntohs(tuple->src.u.all),
			   prefix, ntohs(tuple->dst.u.all));
}

/* Entries count only if nf_conntrack_acct was on when they were made. */
static void show_counts(struct seq_file *seq, const struct nf_conn *ct)
{
	const struct nf_conn_acct *acct = nf_conn_acct_find(ct);
	const struct nf_conn_counter *original, *reply;

	if (!acct)
		return;
	original = &acct->counter[IP_CT_DIR_ORIGINAL];
	reply = &acct->counter[IP_CT_DIR_REPLY];
	seq_printf(seq, "packets=%llu bytes=%llu reply_packets=%llu reply_bytes=%llu ",
		   (u64)atomic64_read(&original->packets), (u64)atomic64_read(&original->bytes),
		   (u64)atomic64_read(&reply->packets), (u64)atomic64_read(&reply->bytes));
}

static void show_flow(struct seq_file *seq, const struct nf_conn *ct)
{
	const u32 *words = gwmark_flow_words(ct);
	u32 source, destination;

	if (!words)
		return;
	source = READ_ONCE(words[GWMARK_FLOW_SOURCE]);
	destination = READ_ONCE(words[GWMARK_FLOW_DESTINATION]);
	if (!source && !destination)
		return;
	seq_printf(seq, "family=%d proto=%u ", nf_ct_l3num(ct) == NFPROTO_IPV4 ? 4 : 6,
		   nf_ct_protonum(ct));
	show_tuple(seq, "", &ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple);
	show_tuple(seq, "reply_", &ct->tuplehash[IP_CT_DIR_REPLY].tuple);
	show_counts(seq, ct);
	seq_printf(seq, "source=%u destination=%u\n", source, destination);
}

static int flows_show(struct seq_file *seq, void *v)
{
	const struct nf_conntrack_tuple_hash *hash;
	const struct hlist_nulls_node *node;
	struct hlist_nulls_head *bucket = v;
	struct nf_conn *ct;

	if (v == SEQ_START_TOKEN) {
		seq_printf(seq, "gwmark %d\n", GWMARK_ABI);
		return 0;
	}
	hlist_nulls_for_each_entry_rcu(hash, node, bucket, hnnode) {
		ct = nf_ct_tuplehash_to_ctrack(hash);
		if (NF_CT_DIRECTION(hash) != IP_CT_DIR_ORIGINAL)
			continue;
		/* entries are recycled without a grace period: take it, then look */
		if (!nf_ct_get_unless_zero(ct))
			continue;
		smp_acquire__after_ctrl_dep();
		if (net_eq(nf_ct_net(ct), seq_file_net(seq)) && nf_ct_is_confirmed(ct) &&
		    !nf_ct_is_expired(ct))
			show_flow(seq, ct);
		nf_ct_put(ct);
	}
	return 0;
}

const struct seq_operations gwmark_flows_ops = {
	.start = flows_start,
	.next = flows_next,
	.stop = flows_stop,
	.show = flows_show,
};
