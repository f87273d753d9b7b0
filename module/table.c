// SPDX-License-Identifier: GPL-2.0
/* The table of gateways of a namespace: made, taken away, measured. */

#include <linux/bitmap.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "gateway.h"
#include "net.h"
#include "table.h"

static void table_free(struct gwmark_table *table)
{
	if (!table)
		return;
	bitmap_free(table->busy);
	kvfree(table->generation);
	kvfree(table);
}

/**
 * gwmark_table_init() - give a namespace an empty table
 * @gn: the namespace; its lock is held
 *
 * Generations start at random, so that ids of an earlier life of the module,
 * which flows may still hold, are no ids of this one.
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int gwmark_table_init(struct gwmark_net *gn)
{
	unsigned int size = gwmark_table_max() + 1;
	struct gwmark_table *table;

	lockdep_assert_held(&gn->lock);

	table = kvzalloc(struct_size(table, slots, size), GFP_KERNEL_ACCOUNT);
	if (!table)
		return -ENOMEM;
	table->busy = bitmap_zalloc(size, GFP_KERNEL_ACCOUNT);
	table->generation = kvcalloc(size, sizeof(u16), GFP_KERNEL_ACCOUNT);
	if (!table->busy || !table->generation) {
		table_free(table);
		return -ENOMEM;
	}
	spin_lock_init(&table->lock);
	get_random_bytes(&table->seed, sizeof(table->seed));
	get_random_bytes(table->generation, size * sizeof(u16));
	__set_bit(0, table->busy);
	table->full_until = jiffies;
	rcu_assign_pointer(gn->table, table);
	return 0;
}

/**
 * gwmark_table_exit() - take the table away, and all gateways with it
 * @gn: the namespace; its lock is held, its hooks are unregistered
 *
 * Context: process, sleeps for a grace period.
 */
void gwmark_table_exit(struct gwmark_net *gn)
{
	struct gwmark_table *table;

	gwmark_gateway_flush(gn, NULL);
	table = rcu_replace_pointer(gn->table, NULL, lockdep_is_held(&gn->lock));
	synchronize_rcu();
	table_free(table);
}

/**
 * gwmark_table_size() - number of gateways
 * @gn: the namespace
 *
 * Context: RCU read section.
 * Return: the number, 0 while disabled.
 */
unsigned int gwmark_table_size(struct gwmark_net *gn)
{
	struct gwmark_table *table = rcu_dereference(gn->table);

	return table ? READ_ONCE(table->used) : 0;
}
