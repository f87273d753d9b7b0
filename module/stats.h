/* SPDX-License-Identifier: GPL-2.0 */
/* Named counters, one for each exit of the packet path. */
#ifndef _GWMARK_STATS_H
#define _GWMARK_STATS_H

#include <linux/netfilter.h>
#include <linux/percpu.h>

#include <uapi/gwmark.h>

enum gwmark_stat {
#define GWMARK_STAT_ENUM(name) GWMARK_STAT_##name,
	GWMARK_STATS(GWMARK_STAT_ENUM)
#undef GWMARK_STAT_ENUM
	GWMARK_STAT_COUNT
};

/**
 * struct gwmark_stats - counters of one namespace on one CPU
 * @count: a machine word each, so that neither writer nor reader needs a lock
 */
struct gwmark_stats {
	unsigned long count[GWMARK_STAT_COUNT];
};

struct gwmark_net;
struct seq_file;

int gwmark_stats_init(struct gwmark_net *gn);
void gwmark_stats_exit(struct gwmark_net *gn);
void gwmark_stats_inc(struct gwmark_net *gn, enum gwmark_stat stat);
void gwmark_stats_show(struct gwmark_net *gn, struct seq_file *seq);

/* Every exit of a hook goes through here: what is not sent continues, and is counted. */
static inline unsigned int gwmark_leave(struct gwmark_net *gn, enum gwmark_stat stat)
{
	gwmark_stats_inc(gn, stat);
	return NF_ACCEPT;
}

#endif /* _GWMARK_STATS_H */
