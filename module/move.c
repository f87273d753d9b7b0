// SPDX-License-Identifier: GPL-2.0
/* Moves: packets for a gateway go to another MAC, and every flow follows. */

#include <linux/etherdevice.h>
#include <linux/jiffies.h>

#include "gateway.h"
#include "move.h"
#include "net.h"
#include "stats.h"

/*
 * MACs that routers share, so that a failover changes nothing for their
 * neighbours: VRRP (RFC 9568, 7.3), HSRP versions 1 and 2, GLBP.
 */
static const struct {
	u8 mac[ETH_ALEN];
	u8 mask[ETH_ALEN];
} shared_macs[] = {
	{ { 0x00, 0x00, 0x5e, 0x00, 0x01 }, { 0xff, 0xff, 0xff, 0xff, 0xff } },
	{ { 0x00, 0x00, 0x5e, 0x00, 0x02 }, { 0xff, 0xff, 0xff, 0xff, 0xff } },
	{ { 0x00, 0x00, 0x0c, 0x07, 0xac }, { 0xff, 0xff, 0xff, 0xff, 0xff } },
	{ { 0x00, 0x00, 0x0c, 0x9f, 0xf0 }, { 0xff, 0xff, 0xff, 0xff, 0xf0 } },
	{ { 0x00, 0x05, 0x73, 0xa0, 0x00 }, { 0xff, 0xff, 0xff, 0xff, 0xf0 } },
	{ { 0x00, 0x07, 0xb4, 0x00 }, { 0xff, 0xff, 0xff, 0xfc } },
};

static bool shared_mac(const u8 *mac)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(shared_macs); i++)
		if (ether_addr_equal_masked(mac, shared_macs[i].mac, shared_macs[i].mask))
			return true;
	return false;
}

static bool within_limit(struct gwmark_gateway *gateway)
{
	unsigned long end = gateway->window_start + GWMARK_MOVE_WINDOW_S * HZ;

	lockdep_assert_held(&gateway->move_lock);
	if (!gateway->moves || time_after(jiffies, end)) {
		gateway->window_start = jiffies;
		gateway->window_moves = 0;
	}
	return gateway->window_moves < GWMARK_MOVE_BURST;
}

/* Would a sign of life of the gateway change anything? */
static void settle(struct gwmark_gateway *gateway)
{
	bool moved = atomic64_read(&gateway->lladdr) != ether_addr_to_u64(gateway->mac);

	lockdep_assert_held(&gateway->move_lock);
	WRITE_ONCE(gateway->unsettled, !gateway->ordered && (moved || gateway->heir));
}

static void move_locked(struct gwmark_net *gn, struct gwmark_gateway *gateway, u64 lladdr,
			enum gwmark_stat why)
{
	lockdep_assert_held(&gateway->move_lock);
	if (gateway->ordered && why != GWMARK_STAT_move_control)
		return;
	gateway->heir = 0;
	if (atomic64_read(&gateway->lladdr) == lladdr)
		goto out;
	if (!within_limit(gateway) && why != GWMARK_STAT_move_control) {
		gwmark_stats_inc(gn, GWMARK_STAT_move_limited);
		goto out;
	}
	gateway->window_moves++;
	gateway->moves++;
	atomic64_set(&gateway->lladdr, lladdr);
	gwmark_stats_inc(gn, why);
out:
	settle(gateway);
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
	spin_lock_bh(&gateway->move_lock);
	gateway->ordered = keep && !ether_addr_equal(mac, gateway->mac);
	move_locked(gn, gateway, ether_addr_to_u64(mac), GWMARK_STAT_move_control);
	spin_unlock_bh(&gateway->move_lock);
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
	spin_lock_bh(&gateway->move_lock);
	if (gateway->heir && time_after_eq(jiffies, gateway->heir_due))
		move_locked(gn, gateway, gateway->heir, GWMARK_STAT_move_claim);
	spin_unlock_bh(&gateway->move_lock);
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
	u64 own = ether_addr_to_u64(gateway->mac);

	spin_lock_bh(&gateway->move_lock);
	if (gateway->heir && atomic64_read(&gateway->lladdr) == own)
		gwmark_stats_inc(gn, GWMARK_STAT_move_kept);
	move_locked(gn, gateway, own, why);
	spin_unlock_bh(&gateway->move_lock);
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

/**
 * gwmark_move_refused() - is a claim in passing not to be believed?
 * @from: MAC that has the address
 * @to: MAC that a request to someone else names as its sender
 *
 * A router may send its requests from its own MAC and its virtual address; that
 * does not take the address from the shared MAC.
 */
bool gwmark_move_refused(const u8 *from, const u8 *to)
{
	return shared_mac(from) && !shared_mac(to);
}

static void move_doubt(struct gwmark_gateway *gateway, u64 heir)
{
	spin_lock_bh(&gateway->move_lock);
	if (!gateway->heir)
		gateway->heir_due = jiffies + msecs_to_jiffies(GWMARK_MOVE_ANSWER_MS);
	gateway->heir = heir;
	settle(gateway);
	spin_unlock_bh(&gateway->move_lock);
}

/**
 * gwmark_move_claimed() - an address changed its MAC, say ARP or ND
 * @gn: namespace
 * @dev: where
 * @from: MAC that had the address
 * @to: MAC that claims it
 * @has_others: @from has other addresses
 *
 * If it was the last address of @from, packets for gateways at @from go to @to from now
 * on, until a sign of life of the gateway. If not, they go there when no such sign
 * comes within GWMARK_MOVE_ANSWER_MS.
 *
 * Context: RCU read section; does not sleep.
 * Return: true if @from should be asked whether it is there.
 */
bool gwmark_move_claimed(struct gwmark_net *gn, const struct net_device *dev,
			 const u8 *from, const u8 *to, bool has_others)
{
	u64 old = ether_addr_to_u64(from), new = ether_addr_to_u64(to);
	struct gwmark_gateway *gateway;
	bool doubted = false;
	u32 index;

	for (index = 1; (gateway = gwmark_gateway_next(gn, &index)); index++) {
		if (gateway->dev != dev)
			continue;
		if (ether_addr_equal(gateway->mac, to)) {
			/* the address came back to a gateway that was given up */
			gwmark_move_alive(gn, gateway, GWMARK_STAT_move_claim);
		} else if (atomic64_read(&gateway->lladdr) == old && has_others) {
			move_doubt(gateway, new);
			doubted = true;
		} else if (atomic64_read(&gateway->lladdr) == old) {
			spin_lock_bh(&gateway->move_lock);
			move_locked(gn, gateway, new, GWMARK_STAT_move_claim);
			spin_unlock_bh(&gateway->move_lock);
		}
	}
	return doubted;
}
