/* SPDX-License-Identifier: GPL-2.0 */
/* Moves: packets for a gateway go to another MAC. */
#ifndef _GWMARK_MOVE_H
#define _GWMARK_MOVE_H

#include "gateway.h"
#include "stats.h"

/* Moves of one gateway that are believed within one window. */
enum {
	GWMARK_MOVE_BURST = 8,
	GWMARK_MOVE_WINDOW_S = 10,
	/* Changes of an address of a gateway that are processed each second. */
	GWMARK_MOVE_CHANGES = 16,
	/*
	 * So long a router that lost one address of several is waited for, before its
	 * packets go to the claimant. A later answer brings them back.
	 */
	GWMARK_MOVE_ANSWER_MS = 10,
};

/* What becomes of a claim. */
enum gwmark_move_verdict {
	GWMARK_MOVE_BELIEVED,	/* it is so from now on */
	GWMARK_MOVE_DOUBTED,	/* and who had the address is to be asked for others */
	GWMARK_MOVE_REFUSED,	/* a limit: not heard */
};

struct gwmark_claim;

void gwmark_move_order(struct gwmark_net *gn, struct gwmark_gateway *gateway,
		       const u8 *mac, bool keep);
void gwmark_move_due(struct gwmark_net *gn, struct gwmark_gateway *gateway);
void gwmark_move_alive(struct gwmark_net *gn, struct gwmark_gateway *gateway,
		       enum gwmark_stat why);
void gwmark_move_heard(struct gwmark_net *gn, const struct net_device *dev, const u8 *mac);
enum gwmark_move_verdict gwmark_move_claimed(struct gwmark_net *gn,
					     const struct net_device *dev,
					     const struct gwmark_claim *address,
					     u64 old, u64 new, struct gwmark_claim *others);

/**
 * gwmark_move_seen() - a selected frame came from a gateway
 * @gn: namespace
 * @gateway: the gateway
 *
 * The freshest evidence wins: if its packets go elsewhere, they go to it again. If
 * one of its addresses was claimed, it keeps them.
 */
static inline void gwmark_move_seen(struct gwmark_net *gn, struct gwmark_gateway *gateway)
{
	gwmark_gateway_seen(gateway);
	if (unlikely(READ_ONCE(gateway->unsettled)))
		gwmark_move_alive(gn, gateway, GWMARK_STAT_move_frame);
}

#endif /* _GWMARK_MOVE_H */
