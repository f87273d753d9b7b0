// SPDX-License-Identifier: GPL-2.0
/* Moves: packets for a gateway go to another MAC, and every flow follows. */

#include <linux/etherdevice.h>
#include <linux/jiffies.h>

#include "claim.h"
#include "gateway.h"
#include "move.h"
#include "net.h"
#include "stats.h"

static bool within_limit(struct gwmark_gateway *gateway)
{
	unsigned long end = gateway->window_start + GWMARK_MOVE_WINDOW_S * HZ;

	if (!gateway->moves || time_after(jiffies, end)) {
		gateway->window_start = jiffies;
		gateway->window_moves = 0;
	}
	return gateway->window_moves < GWMARK_MOVE_BURST;
}

/* A flood of changes must cost its sender more than us, and other gateways nothing. */
static bool change_allowed(struct gwmark_gateway *gateway)
{
	if (time_after_eq(jiffies, gateway->second + HZ)) {
		gateway->second = jiffies;
		gateway->changes = 0;
	}
	return gateway->changes++ < GWMARK_MOVE_CHANGES;
}

/* Would a sign of life of the gateway change anything? */
static void settle(struct gwmark_gateway *gateway)
{
	bool moved = atomic64_read(&gateway->lladdr) != ether_addr_to_u64(gateway->mac);

	WRITE_ONCE(gateway->unsettled, !gateway->ordered && (moved || gateway->heir));
}

/* False if the limit forbids it. */
static bool move_locked(struct gwmark_net *gn, struct gwmark_table *table,
			struct gwmark_gateway *gateway, u64 lladdr, enum gwmark_stat why)
{
	bool allowed = true;

	lockdep_assert_held(&table->lock);
	if (gateway->ordered && why != GWMARK_STAT_move_control)
		return true;
	gateway->heir = 0;
	if (atomic64_read(&gateway->lladdr) == lladdr)
		goto out;
	allowed = within_limit(gateway) || why == GWMARK_STAT_move_control;
	if (!allowed)
		goto out;
	gateway->window_moves++;
	gateway->moves++;
	gwmark_gateway_redirect(table, gateway, lladdr);
	gwmark_stats_inc(gn, why);
out:
	settle(gateway);
	return allowed;
}

/**
 * gwmark_move_order() - send a gateway's packets to another MAC, by command
 * @gn: the namespace
 * @gateway: the gateway
 * @mac: where to
 * @keep: whatever evidence says, until the next command
 *
 * A command always takes effect.
 *
 * Context: RCU read section; does not sleep.
 */
void gwmark_move_order(struct gwmark_net *gn, struct gwmark_gateway *gateway,
		       const u8 *mac, bool keep)
{
	struct gwmark_table *table = rcu_dereference(gn->table);

	if (!table)
		return;
	spin_lock_bh(&table->lock);
	gateway->ordered = keep && !ether_addr_equal(mac, gateway->mac);
	move_locked(gn, table, gateway, ether_addr_to_u64(mac), GWMARK_STAT_move_control);
	spin_unlock_bh(&table->lock);
}

/**
 * gwmark_move_due() - a packet for a gateway whose address was claimed is to be sent
 * @gn: the namespace
 * @gateway: a gateway that is not settled
 *
 * It had time to show that it lives. If it did not, its packets go to the claimant.
 *
 * Context: RCU read section; does not sleep.
 */
void gwmark_move_due(struct gwmark_net *gn, struct gwmark_gateway *gateway)
{
	struct gwmark_table *table = rcu_dereference(gn->table);

	if (!table)
		return;
	spin_lock_bh(&table->lock);
	if (gateway->heir && time_after_eq(jiffies, gateway->heir_due) &&
	    !move_locked(gn, table, gateway, gateway->heir, GWMARK_STAT_move_claim))
		gwmark_stats_inc(gn, GWMARK_STAT_move_limited);
	spin_unlock_bh(&table->lock);
}

static bool alive_locked(struct gwmark_net *gn, struct gwmark_table *table,
			 struct gwmark_gateway *gateway, enum gwmark_stat why)
{
	u64 own = ether_addr_to_u64(gateway->mac);

	if (gateway->heir && atomic64_read(&gateway->lladdr) == own)
		gwmark_stats_inc(gn, GWMARK_STAT_move_kept);
	return move_locked(gn, table, gateway, own, why);
}

/**
 * gwmark_move_alive() - a gateway that lost an address or its packets is alive
 * @gn: the namespace
 * @gateway: a gateway that is not settled
 * @why: counter of the evidence
 *
 * Its packets go to it, again or still.
 *
 * Context: RCU read section; does not sleep.
 */
void gwmark_move_alive(struct gwmark_net *gn, struct gwmark_gateway *gateway,
		       enum gwmark_stat why)
{
	struct gwmark_table *table = rcu_dereference(gn->table);

	if (!table)
		return;
	spin_lock_bh(&table->lock);
	if (!alive_locked(gn, table, gateway, why))
		gwmark_stats_inc(gn, GWMARK_STAT_move_limited);
	spin_unlock_bh(&table->lock);
}

/**
 * gwmark_move_heard() - ARP or ND came from a MAC, with an address that it had
 * @gn: the namespace
 * @dev: where
 * @mac: the MAC
 *
 * Context: RCU read section; does not sleep.
 */
void gwmark_move_heard(struct gwmark_net *gn, const struct net_device *dev, const u8 *mac)
{
	struct gwmark_gateway *gateway = gwmark_gateway_find(gn, dev, mac);

	if (gateway && READ_ONCE(gateway->unsettled))
		gwmark_move_alive(gn, gateway, GWMARK_STAT_move_answer);
}

static void doubt_locked(struct gwmark_gateway *gateway, u64 heir)
{
	if (!gateway->heir)
		gateway->heir_due = jiffies + msecs_to_jiffies(GWMARK_MOVE_ANSWER_MS);
	gateway->heir = heir;
	settle(gateway);
}

/**
 * gwmark_move_claimed() - an address changed its MAC, say ARP or ND
 * @gn: namespace
 * @dev: where
 * @address: the address
 * @old: MAC that had it, as ether_addr_to_u64()
 * @new: MAC that claims it
 * @others: two, other addresses of @old, if it is to be asked for them
 *
 * If it was the last address of @old, packets for gateways at @old go to @new from now
 * on, until a sign of life of the gateway. If not, they go there when no such sign
 * comes within GWMARK_MOVE_ANSWER_MS.
 *
 * Context: RCU read section; does not sleep.
 * Return: GWMARK_MOVE_REFUSED if a limit forbids to believe it: then it is as if it
 * was never said, and will be looked at again when it is said again.
 */
enum gwmark_move_verdict gwmark_move_claimed(struct gwmark_net *gn,
					     const struct net_device *dev,
					     const struct gwmark_claim *address,
					     u64 old, u64 new, struct gwmark_claim *others)
{
	struct gwmark_table *table = rcu_dereference(gn->table);
	enum gwmark_move_verdict verdict = GWMARK_MOVE_BELIEVED;
	bool asked = false, has_others = false;
	struct gwmark_gateway *gateway;
	struct hlist_node *next;
	u8 mac[ETH_ALEN] __aligned(2);

	if (!table)
		return verdict;
	u64_to_ether_addr(new, mac);
	spin_lock_bh(&table->lock);
	gateway = gwmark_gateway_find(gn, dev, mac);
	/* the address came back to a gateway that was given up */
	if (gateway && READ_ONCE(gateway->unsettled) &&
	    !alive_locked(gn, table, gateway, GWMARK_STAT_move_claim))
		verdict = GWMARK_MOVE_REFUSED;
	hlist_for_each_entry_safe(gateway, next, gwmark_table_senders(table, dev, old), sender) {
		if (gateway->dev != dev || atomic64_read(&gateway->lladdr) != old ||
		    ether_addr_equal(gateway->mac, mac))
			continue;
		if (!change_allowed(gateway)) {
			verdict = GWMARK_MOVE_REFUSED;
			continue;
		}
		if (!asked)
			has_others = gwmark_claim_others(gn, address, old, others);
		asked = true;
		if (has_others) {
			doubt_locked(gateway, new);
			if (verdict == GWMARK_MOVE_BELIEVED)
				verdict = GWMARK_MOVE_DOUBTED;
		} else if (!move_locked(gn, table, gateway, new, GWMARK_STAT_move_claim)) {
			verdict = GWMARK_MOVE_REFUSED;
		}
	}
	spin_unlock_bh(&table->lock);
	if (verdict == GWMARK_MOVE_REFUSED)
		gwmark_stats_inc(gn, GWMARK_STAT_move_limited);
	return verdict;
}
