/* SPDX-License-Identifier: GPL-2.0 */
/* What the module keeps for one network namespace. */
#ifndef _GWMARK_NET_H
#define _GWMARK_NET_H

#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <net/net_namespace.h>

struct gwmark_claims;
struct gwmark_stats;
struct gwmark_table;
struct proc_dir_entry;
struct sk_buff;

/**
 * struct gwmark_mark - a packet mark and the bits of it that count
 * @value: never 0, never with a bit outside of @mask
 * @mask: never 0
 */
struct gwmark_mark {
	u32 value;
	u32 mask;
};

/* What an uplink found by itself rests on: the more, the less easily it is replaced. */
enum gwmark_uplink_proof {
	GWMARK_UPLINK_CAPTURED,	/* a captured frame was bound for it */
	GWMARK_UPLINK_REPLIED,	/* a reply of this host went to it */
	GWMARK_UPLINK_ASSURED,	/* a flow of this host went on both ways through it */
};

/* Which gateway takes what no route and no flow explains. */
enum gwmark_uplink_mode {
	GWMARK_UPLINK_AUTO,
	GWMARK_UPLINK_NONE,
	GWMARK_UPLINK_PINNED,
};

/**
 * struct gwmark_config - settings that the packet path reads
 * @reply: selects packets to return
 * @orig: selects packets to learn from, to capture and to send to the uplink
 * @learn_onlink: learn sources that are on-link too
 * @uplink_mode: how the uplink is found
 * @rcu: a changed config is a new one, so that no packet sees half of a change
 */
struct gwmark_config {
	struct gwmark_mark reply;
	struct gwmark_mark orig;
	bool learn_onlink;
	enum gwmark_uplink_mode uplink_mode;
	struct rcu_head rcu;
};

/**
 * struct gwmark_net - one network namespace
 * @net: the namespace
 * @lock: serialises commands, enabling and disabling
 * @enabled: hooks are registered; written under @lock
 * @config: replaced as a whole under @lock, read under RCU
 * @table: gateways; NULL while disabled; written under @lock, read under RCU
 * @claims: which MAC claimed which address; NULL while disabled; as @table
 * @uplink: gateway id, 0 = none; any context, READ_ONCE and WRITE_ONCE
 * @uplink_proof: what @uplink rests on; advisory only, as @uplink
 * @stats: counters
 * @proc: /proc/net/gwmark
 */
struct gwmark_net {
	struct net *net;
	struct mutex lock; /* commands, enabling and disabling */
	bool enabled;
	struct gwmark_config __rcu *config;
	struct gwmark_table __rcu *table;
	struct gwmark_claims __rcu *claims;
	u32 uplink;
	enum gwmark_uplink_proof uplink_proof;
	struct gwmark_stats __percpu *stats;
	struct proc_dir_entry *proc;
};

extern unsigned int gwmark_net_id;

struct gwmark_net *gwmark_net_of(const struct net *net);

static inline bool gwmark_mark_matches(const struct gwmark_mark *mark, u32 value)
{
	return (value & mark->mask) == mark->value;
}

#endif /* _GWMARK_NET_H */
