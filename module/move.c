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

/**
 * gwmark_move_to() - send a gateway's packets to another MAC
 * @gn: the namespace
 * @gateway: the gateway
 * @mac: where to
 * @why: counter of the evidence; a command is obeyed always, other evidence
 *	only GWMARK_MOVE_BURST times in GWMARK_MOVE_WINDOW_S
 *
 * Context: RCU read section; does not sleep.
 * Return: true if done, or if packets went there already.
 */
bool gwmark_move_to(struct gwmark_net *gn, struct gwmark_gateway *gateway,
		    const u8 *mac, enum gwmark_stat why)
{
	u64 lladdr = ether_addr_to_u64(mac);
	bool done = true;

	spin_lock_bh(&gateway->move_lock);
	if (atomic64_read(&gateway->lladdr) == lladdr)
		goto out;
	done = within_limit(gateway) || why == GWMARK_STAT_move_control;
	if (!done) {
		gwmark_stats_inc(gn, GWMARK_STAT_move_limited);
		goto out;
	}
	gateway->window_moves++;
	gateway->moves++;
	atomic64_set(&gateway->lladdr, lladdr);
	gwmark_stats_inc(gn, why);
out:
	spin_unlock_bh(&gateway->move_lock);
	return done;
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

/**
 * gwmark_move_claimed() - an address changed its MAC, say ARP or ND
 * @gn: namespace
 * @dev: where
 * @from: MAC that had the address
 * @to: MAC that claims it
 *
 * Packets for the gateway of @from go to @to from now on, until a frame from @from
 * proves it alive.
 *
 * Context: RCU read section; does not sleep.
 */
void gwmark_move_claimed(struct gwmark_net *gn, const struct net_device *dev,
			 const u8 *from, const u8 *to)
{
	u64 old = ether_addr_to_u64(from), target;
	struct gwmark_gateway *gateway;
	u32 index;

	for (index = 1; (gateway = gwmark_gateway_next(gn, &index)); index++) {
		if (gateway->dev != dev)
			continue;
		target = atomic64_read(&gateway->lladdr);
		/* or the address came back to a gateway that was left for dead */
		if (target == old || ether_addr_equal(gateway->mac, to))
			gwmark_move_to(gn, gateway, to, GWMARK_STAT_move_claim);
	}
}
