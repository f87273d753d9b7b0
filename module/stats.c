// SPDX-License-Identifier: GPL-2.0
/* Named counters, one for each exit of the packet path. */

#include <linux/seq_file.h>

#include "net.h"
#include "stats.h"

static const char * const names[] = {
#define GWMARK_STAT_NAME(name) #name,
	GWMARK_STATS(GWMARK_STAT_NAME)
#undef GWMARK_STAT_NAME
};

/**
 * gwmark_stats_init() - allocate the counters of a namespace
 * @gn: the namespace
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int gwmark_stats_init(struct gwmark_net *gn)
{
	gn->stats = alloc_percpu_gfp(struct gwmark_stats, GFP_KERNEL_ACCOUNT);
	return gn->stats ? 0 : -ENOMEM;
}

/**
 * gwmark_stats_exit() - free the counters of a namespace
 * @gn: the namespace; no packet of it can be under way
 */
void gwmark_stats_exit(struct gwmark_net *gn)
{
	free_percpu(gn->stats);
}

/**
 * gwmark_stats_inc() - count one exit
 * @gn: the namespace
 * @stat: its name
 *
 * Context: any.
 */
void gwmark_stats_inc(struct gwmark_net *gn, enum gwmark_stat stat)
{
	this_cpu_inc(gn->stats->count[stat]);
}

/**
 * gwmark_stats_show() - print every counter, in the order of the uapi header
 * @gn: the namespace
 * @seq: where to
 */
void gwmark_stats_show(struct gwmark_net *gn, struct seq_file *seq)
{
	unsigned int stat;
	unsigned long sum;
	int cpu;

	for (stat = 0; stat < GWMARK_STAT_COUNT; stat++) {
		sum = 0;
		for_each_possible_cpu(cpu)
			sum += READ_ONCE(per_cpu_ptr(gn->stats, cpu)->count[stat]);
		seq_printf(seq, "%s %lu\n", names[stat], sum);
	}
}
