// SPDX-License-Identifier: GPL-2.0
/* Gateways: found by (device, MAC) and by id, made known, forgotten. */

#include <linux/bitmap.h>
#include <linux/jhash.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "gateway.h"
#include "net.h"
#include "stats.h"

static unsigned int max_gateways = 4096;
module_param(max_gateways, uint, 0444);
MODULE_PARM_DESC(max_gateways, "gateways a namespace, 1 to 65535 (default 4096)");

enum {
	INDEX_BITS = 16,
	INDEX_MASK = (1 << INDEX_BITS) - 1,
	/* A gateway that was used within this makes no room for another. */
	IDLE_S = 10,
};

/**
 * gwmark_table_max() - the bound on gateways
 *
 * Return: the module parameter within its range.
 */
unsigned int gwmark_table_max(void)
{
	return clamp(max_gateways, 1U, (unsigned int)INDEX_MASK);
}

static u32 hash_of(const struct gwmark_table *table, const struct net_device *dev, u64 mac)
{
	return jhash_3words(mac, mac >> 32, dev->ifindex, table->seed) >>
	       (32 - GWMARK_TABLE_BITS);
}

static struct hlist_head *bucket_of(struct gwmark_table *table, const struct net_device *dev,
				    const u8 *mac)
{
	return &table->hash[hash_of(table, dev, ether_addr_to_u64(mac))];
}

/**
 * gwmark_table_senders() - the gateways whose packets may go to a MAC
 * @table: the table, locked
 * @dev: device
 * @lladdr: the MAC, as ether_addr_to_u64()
 *
 * Return: a list by member sender; others may be in it as well.
 */
struct hlist_head *gwmark_table_senders(struct gwmark_table *table,
					const struct net_device *dev, u64 lladdr)
{
	lockdep_assert_held(&table->lock);
	return &table->senders[hash_of(table, dev, lladdr)];
}

/**
 * gwmark_gateway_redirect() - let a gateway's packets go to a MAC
 * @table: its table, locked
 * @gateway: the gateway, maybe forgotten meanwhile
 * @lladdr: the MAC, as ether_addr_to_u64()
 */
void gwmark_gateway_redirect(struct gwmark_table *table, struct gwmark_gateway *gateway,
			     u64 lladdr)
{
	lockdep_assert_held(&table->lock);
	atomic64_set(&gateway->lladdr, lladdr);
	if (hlist_unhashed(&gateway->sender))
		return;
	hlist_del(&gateway->sender);
	hlist_add_head(&gateway->sender, gwmark_table_senders(table, gateway->dev, lladdr));
}

static struct gwmark_gateway *bucket_find(struct hlist_head *bucket,
					  const struct net_device *dev,
					  const u8 *mac)
{
	struct gwmark_gateway *gateway;

	hlist_for_each_entry_rcu(gateway, bucket, node)
		if (gateway->dev == dev && ether_addr_equal(gateway->mac, mac))
			return gateway;
	return NULL;
}

/**
 * gwmark_gateway_find_id() - the gateway of an id
 * @gn: the namespace
 * @id: what a flow remembers; the lower 16 bits index the table, the upper 16
 *	tell apart the gateways that have had that index
 *
 * Context: RCU read section.
 * Return: the gateway, valid until rcu_read_unlock(), or NULL.
 */
struct gwmark_gateway *gwmark_gateway_find_id(struct gwmark_net *gn, u32 id)
{
	struct gwmark_table *table = rcu_dereference(gn->table);
	struct gwmark_gateway *gateway;
	u32 index = id & INDEX_MASK;

	if (!table || index > gwmark_table_max())
		return NULL;
	gateway = rcu_dereference(table->slots[index]);
	return gateway && gateway->id == id ? gateway : NULL;
}

/**
 * gwmark_gateway_find() - the gateway of a device and MAC
 * @gn: the namespace
 * @dev: device
 * @mac: source MAC of its frames
 *
 * Context: RCU read section.
 * Return: the gateway, valid until rcu_read_unlock(), or NULL.
 */
struct gwmark_gateway *gwmark_gateway_find(struct gwmark_net *gn,
					   const struct net_device *dev,
					   const u8 *mac)
{
	struct gwmark_table *table = rcu_dereference(gn->table);

	return table ? bucket_find(bucket_of(table, dev, mac), dev, mac) : NULL;
}

static void gateway_free_rcu(struct rcu_head *rcu)
{
	struct gwmark_gateway *gateway = container_of(rcu, struct gwmark_gateway, rcu);

	gwmark_dst_destroy(&gateway->dst);
	free_percpu(gateway->count);
	netdev_put(gateway->dev, &gateway->dev_tracker);
	kfree(gateway);
}

static struct gwmark_gateway *gateway_create(struct net_device *dev, const u8 *mac, u32 id)
{
	struct gwmark_gateway *gateway = kzalloc(sizeof(*gateway), GFP_ATOMIC | __GFP_NOWARN);

	if (!gateway)
		return NULL;
	gateway->id = id;
	gateway->dev = dev;
	ether_addr_copy(gateway->mac, mac);
	atomic64_set(&gateway->lladdr, ether_addr_to_u64(mac));
	gateway->created = jiffies;
	gateway->last_used = jiffies;
	gateway->count = alloc_percpu_gfp(struct gwmark_gateway_count,
					  GFP_ATOMIC | __GFP_NOWARN);
	if (!gateway->count)
		goto err_count;
	if (gwmark_dst_create(&gateway->dst, dev, id))
		goto err_dst;
	netdev_hold(dev, &gateway->dev_tracker, GFP_ATOMIC);
	return gateway;

err_dst:
	free_percpu(gateway->count);
err_count:
	kfree(gateway);
	return NULL;
}

/* Free index, or 0 if there is none. */
static unsigned int index_find(struct gwmark_table *table)
{
	unsigned int size = gwmark_table_max() + 1, index;

	lockdep_assert_held(&table->lock);
	index = find_next_zero_bit(table->busy, size, table->last + 1);
	if (index >= size)
		index = find_first_zero_bit(table->busy, size);
	return index < size ? index : 0;
}

static void gateway_unlink(struct gwmark_net *gn, struct gwmark_table *table,
			   struct gwmark_gateway *gateway)
{
	u32 index = gateway->id & INDEX_MASK;

	lockdep_assert_held(&table->lock);
	hlist_del_rcu(&gateway->node);
	hlist_del_init(&gateway->sender);
	RCU_INIT_POINTER(table->slots[index], NULL);
	__clear_bit(index, table->busy);
	WRITE_ONCE(table->used, table->used - 1);
	gwmark_stats_inc(gn, GWMARK_STAT_gateway_removed);
	call_rcu(&gateway->rcu, gateway_free_rcu);
}

/*
 * The table is full: the gateway that was idle longest goes, but none that a command
 * named, nor the uplink, nor one that was used within IDLE_S. So a flood of forged
 * MACs costs nobody who is there, and the table recovers when it is over.
 */
static bool make_room(struct gwmark_net *gn, struct gwmark_table *table)
{
	struct gwmark_gateway *gateway, *idlest = NULL;
	unsigned long now = jiffies, idle, longest = 0;
	unsigned int index;

	lockdep_assert_held(&table->lock);
	if (time_before(now, table->full_until))
		return false;
	for (index = 1; index <= gwmark_table_max(); index++) {
		gateway = rcu_dereference_protected(table->slots[index],
						    lockdep_is_held(&table->lock));
		if (!gateway || gateway->pinned || gateway->id == READ_ONCE(gn->uplink))
			continue;
		idle = now - READ_ONCE(gateway->last_used);
		/* another CPU may have written a later time */
		if ((long)idle < 0 || idle < longest)
			continue;
		longest = idle;
		idlest = gateway;
	}
	if (!idlest || longest < IDLE_S * HZ) {
		/* none is idle for longer than this one will be then */
		table->full_until = now + IDLE_S * HZ - longest;
		return false;
	}
	gateway_unlink(gn, table, idlest);
	gwmark_stats_inc(gn, GWMARK_STAT_gateway_evicted);
	return true;
}

/**
 * gwmark_gateway_add() - find a gateway, or add it
 * @gn: the namespace
 * @dev: an Ethernet device that is up
 * @mac: its MAC, unicast
 * @pinned: a command asks for it
 *
 * Context: RCU read section; does not sleep.
 * Return: the gateway, valid until rcu_read_unlock(), or ERR_PTR of -ENETDOWN
 * (not enabled, or the device is going down), -ENOSPC or -ENOMEM.
 */
struct gwmark_gateway *gwmark_gateway_add(struct gwmark_net *gn,
					  struct net_device *dev, const u8 *mac,
					  bool pinned)
{
	struct gwmark_table *table = rcu_dereference(gn->table);
	struct gwmark_gateway *gateway;
	struct hlist_head *bucket;
	unsigned int index;

	if (!table)
		return ERR_PTR(-ENETDOWN);
	bucket = bucket_of(table, dev, mac);

	spin_lock_bh(&table->lock);
	gateway = bucket_find(bucket, dev, mac);
	if (gateway) {
		gateway->pinned |= pinned;
		goto out;
	}
	/*
	 * The notifier that forgets a device's gateways runs after IFF_UP went
	 * away and takes this lock: whoever sees the flag here comes before it.
	 */
	if (!(dev->flags & IFF_UP) || dev->reg_state != NETREG_REGISTERED) {
		gateway = ERR_PTR(-ENETDOWN);
		goto out;
	}
	index = index_find(table);
	if (!index && make_room(gn, table))
		index = index_find(table);
	if (!index) {
		gwmark_stats_inc(gn, GWMARK_STAT_gateway_table_full);
		gateway = ERR_PTR(-ENOSPC);
		goto out;
	}
	gateway = gateway_create(dev, mac, (u32)table->generation[index]++ << INDEX_BITS | index);
	if (!gateway) {
		gwmark_stats_inc(gn, GWMARK_STAT_gateway_no_memory);
		gateway = ERR_PTR(-ENOMEM);
		goto out;
	}
	gateway->pinned = pinned;
	__set_bit(index, table->busy);
	table->last = index;
	WRITE_ONCE(table->used, table->used + 1);
	rcu_assign_pointer(table->slots[index], gateway);
	hlist_add_head_rcu(&gateway->node, bucket);
	hlist_add_head(&gateway->sender,
		       gwmark_table_senders(table, dev, ether_addr_to_u64(mac)));
	gwmark_stats_inc(gn, GWMARK_STAT_gateway_added);
out:
	spin_unlock_bh(&table->lock);
	return gateway;
}

/**
 * gwmark_gateway_del() - forget a gateway
 * @gn: the namespace
 * @dev: its device
 * @mac: its MAC
 *
 * Flows keep its id, which means nothing from now on.
 *
 * Context: RCU read section; does not sleep.
 * Return: 0, -ENOENT, or -ENETDOWN if the namespace is not enabled.
 */
int gwmark_gateway_del(struct gwmark_net *gn, const struct net_device *dev,
		       const u8 *mac)
{
	struct gwmark_table *table = rcu_dereference(gn->table);
	struct gwmark_gateway *gateway;

	if (!table)
		return -ENETDOWN;
	spin_lock_bh(&table->lock);
	gateway = bucket_find(bucket_of(table, dev, mac), dev, mac);
	if (gateway)
		gateway_unlink(gn, table, gateway);
	spin_unlock_bh(&table->lock);
	return gateway ? 0 : -ENOENT;
}

/**
 * gwmark_gateway_flush() - forget all gateways, or those of one device
 * @gn: the namespace
 * @dev: NULL for all
 *
 * The device references go after a grace period, which the caller need not await:
 * the kernel's own wait for a device ends when they are gone.
 *
 * Context: any process context.
 */
void gwmark_gateway_flush(struct gwmark_net *gn, const struct net_device *dev)
{
	struct gwmark_gateway *gateway;
	struct gwmark_table *table;
	struct hlist_node *next;
	unsigned int bucket;

	rcu_read_lock();
	table = rcu_dereference(gn->table);
	if (table) {
		spin_lock_bh(&table->lock);
		for (bucket = 0; bucket < GWMARK_TABLE_HASH; bucket++)
			hlist_for_each_entry_safe(gateway, next, &table->hash[bucket], node)
				if (!dev || gateway->dev == dev)
					gateway_unlink(gn, table, gateway);
		spin_unlock_bh(&table->lock);
	}
	rcu_read_unlock();
}

/**
 * gwmark_gateway_next() - walk the gateways by index
 * @gn: the namespace
 * @index: where to begin, 1 for the first; where the gateway was found
 *
 * Context: RCU read section.
 * Return: the gateway at or behind @index, or NULL at the end.
 */
struct gwmark_gateway *gwmark_gateway_next(struct gwmark_net *gn, u32 *index)
{
	struct gwmark_table *table = rcu_dereference(gn->table);
	struct gwmark_gateway *gateway;

	for (; table && *index <= gwmark_table_max(); (*index)++) {
		gateway = rcu_dereference(table->slots[*index]);
		if (gateway)
			return gateway;
	}
	return NULL;
}
