/* SPDX-License-Identifier: GPL-2.0 */
/* Gateways: the link-layer neighbours that flows came from. */
#ifndef _GWMARK_GATEWAY_H
#define _GWMARK_GATEWAY_H

#include <linux/atomic.h>
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <linux/rculist.h>

struct gwmark_net;
struct rt6_info;
struct rtable;

/* A gateway counts in machine words, as struct gwmark_stats does. */
struct gwmark_gateway_count {
	unsigned long learned;
	unsigned long sent_packets;
	unsigned long sent_bytes;
};

/**
 * struct gwmark_gateway - (device, MAC), and how to send to it
 * @node: in the table's hash; table lock to write, RCU to read
 * @id: what flows remember; see gwmark_gateway_find_id()
 * @dev: held from creation until the RCU callback that frees the gateway
 * @dev_tracker: of @dev
 * @mac: source MAC of its frames; never changes
 * @lladdr: where packets go, as ether_addr_to_u64(): @mac, or another after a
 *	move. Any context.
 * @rt4: forwarding dst for IPv4; its output is ours
 * @rt6: the same for IPv6; NULL if IPv6 is off on this host
 * @last_seen: jiffies of the last selected frame, at most once a second, 0 =
 *	never; any context
 * @fdb_refreshed: jiffies when the bridge below was last told where the gateway
 *	is; any context
 * @pinned: named by a command; protected by the table lock
 * @unsettled: a sign of life would change something; any context
 * @move_lock: protects the rest down to @count, and writing @lladdr and @unsettled;
 *	bottom halves off
 * @ordered: a command said where packets go, and evidence changes nothing
 * @heir: MAC that claimed one of several addresses; 0 = none
 * @heir_due: jiffies when packets go to @heir, unless the gateway lives
 * @moves: since creation
 * @window_start: jiffies of the first move of this window
 * @window_moves: moves in this window
 * @count: counters
 * @rcu: frees it
 */
struct gwmark_gateway {
	struct hlist_node node;
	u32 id;
	struct net_device *dev;
	netdevice_tracker dev_tracker;
	u8 mac[ETH_ALEN];
	atomic64_t lladdr;
	struct rtable *rt4;
	struct rt6_info *rt6;
	unsigned long last_seen;
	unsigned long fdb_refreshed;
	bool pinned;
	bool unsettled;
	spinlock_t move_lock; /* moves, and writing lladdr; bottom halves off */
	bool ordered;
	u64 heir;
	unsigned long heir_due;
	u32 moves;
	unsigned long window_start;
	unsigned int window_moves;
	struct gwmark_gateway_count __percpu *count;
	struct rcu_head rcu;
};

int gwmark_table_init(struct gwmark_net *gn);
void gwmark_table_exit(struct gwmark_net *gn);
unsigned int gwmark_table_size(struct gwmark_net *gn);
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

/* True if packets can leave through the gateway's device now. */
static inline bool gwmark_gateway_usable(const struct gwmark_gateway *gateway)
{
	return netif_running(gateway->dev) && netif_carrier_ok(gateway->dev);
}

/* Remember that a selected frame came from the gateway. */
static inline void gwmark_gateway_seen(struct gwmark_gateway *gateway)
{
	unsigned long now = jiffies | 1;

	if (now - READ_ONCE(gateway->last_seen) >= HZ)
		WRITE_ONCE(gateway->last_seen, now);
}

#endif /* _GWMARK_GATEWAY_H */
