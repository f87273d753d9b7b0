/* SPDX-License-Identifier: GPL-2.0 */
/* Gateways: the link-layer neighbours that flows came from. */
#ifndef _GWMARK_GATEWAY_H
#define _GWMARK_GATEWAY_H

#include <linux/atomic.h>
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <linux/rculist.h>
#include <linux/spinlock.h>

#include "dst.h"

struct gwmark_net;

/* A gateway counts in machine words, as struct gwmark_stats does. */
struct gwmark_gateway_count {
	unsigned long learned;
	unsigned long sent_packets;
	unsigned long sent_bytes;
};

/**
 * struct gwmark_gateway - (device, MAC), and how to send to it
 * @node: in the table's hash by (device, MAC); table lock to write, RCU to read
 * @sender: in the table's hash by (device, @lladdr); table lock
 * @id: what flows remember; see gwmark_gateway_find_id()
 * @dev: held from creation until the RCU callback that frees the gateway
 * @dev_tracker: of @dev
 * @mac: source MAC of its frames; never changes
 * @lladdr: where packets go, as ether_addr_to_u64(): @mac, or another after a
 *	move. Any context; table lock to write
 * @dst: forwarding dsts, whose output is ours
 * @created: jiffies
 * @last_seen: jiffies of the last selected frame, at most once a second, 0 =
 *	never; any context
 * @last_used: jiffies when it was made, or a frame came from it or went to it, at
 *	most once a second; any context
 * @unsettled: a sign of life would change something; any context, table lock to write
 * @pinned: named by a command; protected by the table lock, as all down to @count
 * @ordered: a command said where packets go, and evidence changes nothing
 * @heir: MAC that claimed one of several addresses; 0 = none
 * @heir_due: jiffies when packets go to @heir, unless the gateway lives
 * @moves: since creation
 * @window_start: jiffies of the first move of this window
 * @window_moves: moves in this window
 * @second: jiffies at which the second of @changes began
 * @changes: changes of an address of its that were looked into in that second
 * @count: counters
 * @rcu: frees it
 */
struct gwmark_gateway {
	struct hlist_node node;
	struct hlist_node sender;
	u32 id;
	struct net_device *dev;
	netdevice_tracker dev_tracker;
	u8 mac[ETH_ALEN] __aligned(2);
	atomic64_t lladdr;
	struct gwmark_dst dst;
	unsigned long created;
	unsigned long last_seen;
	unsigned long last_used;
	bool unsettled;
	bool pinned;
	bool ordered;
	u64 heir;
	unsigned long heir_due;
	u32 moves;
	unsigned long window_start;
	unsigned int window_moves;
	unsigned long second;
	unsigned int changes;
	struct gwmark_gateway_count __percpu *count;
	struct rcu_head rcu;
};

enum {
	GWMARK_TABLE_BITS = 8,
	GWMARK_TABLE_HASH = 1 << GWMARK_TABLE_BITS,
};

/**
 * struct gwmark_table - all gateways of a namespace
 * @lock: writers, and moves; taken with bottom halves off
 * @seed: of the hashes
 * @used: number of gateways
 * @last: index given out last; the search for a free one goes round, so that an
 *	index rests as long as possible
 * @full_until: jiffies before which no gateway is idle long enough to make room
 * @hash: by (device, MAC)
 * @senders: by (device, where packets go)
 * @busy: bitmap of indexes in use
 * @generation: upper half of the next id of each index
 * @slots: by index, 1 to max_gateways
 */
struct gwmark_table {
	spinlock_t lock; /* writers and moves, bottom halves off */
	u32 seed;
	unsigned int used;
	unsigned int last;
	unsigned long full_until;
	struct hlist_head hash[GWMARK_TABLE_HASH];
	struct hlist_head senders[GWMARK_TABLE_HASH];
	unsigned long *busy;
	u16 *generation;
	struct gwmark_gateway __rcu *slots[];
};

unsigned int gwmark_table_max(void);
struct gwmark_gateway *gwmark_gateway_find_id(struct gwmark_net *gn, u32 id);
struct gwmark_gateway *gwmark_gateway_find(struct gwmark_net *gn,
					   const struct net_device *dev,
					   const u8 *mac);
struct gwmark_gateway *gwmark_gateway_add(struct gwmark_net *gn,
					  struct net_device *dev, const u8 *mac,
					  bool pinned);
int gwmark_gateway_del(struct gwmark_net *gn, const struct net_device *dev,
		       const u8 *mac);
void gwmark_gateway_flush(struct gwmark_net *gn, const struct net_device *dev);
struct gwmark_gateway *gwmark_gateway_next(struct gwmark_net *gn, u32 *index);
struct hlist_head *gwmark_table_senders(struct gwmark_table *table,
					const struct net_device *dev, u64 lladdr);
void gwmark_gateway_redirect(struct gwmark_table *table, struct gwmark_gateway *gateway,
			     u64 lladdr);

/* True if packets can leave through the gateway's device now. */
static inline bool gwmark_gateway_usable(const struct gwmark_gateway *gateway)
{
	return netif_running(gateway->dev) && netif_carrier_ok(gateway->dev);
}

/* Remember that a frame came from the gateway, or goes to it. */
static inline void gwmark_gateway_used(struct gwmark_gateway *gateway)
{
	if (jiffies - READ_ONCE(gateway->last_used) >= HZ)
		WRITE_ONCE(gateway->last_used, jiffies);
}

/* Remember that a selected frame came from the gateway. */
static inline void gwmark_gateway_seen(struct gwmark_gateway *gateway)
{
	unsigned long now = jiffies | 1;

	if (now - READ_ONCE(gateway->last_seen) >= HZ)
		WRITE_ONCE(gateway->last_seen, now);
	gwmark_gateway_used(gateway);
}

#endif /* _GWMARK_GATEWAY_H */
