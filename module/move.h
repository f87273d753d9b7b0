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
};

bool gwmark_move_to(struct gwmark_net *gn, struct gwmark_gateway *gateway,
		    const u8 *mac, enum gwmark_stat why);
void gwmark_move_claimed(struct gwmark_net *gn, const struct net_device *dev,
			 const u8 *from, const u8 *to);
bool gwmark_move_refused(const u8 *from, const u8 *to);

/**
 * gwmark_move_seen() - a selected frame came from a gateway
 * @gn: namespace
 * @gateway: the gateway
 *
 * The freshest evidence wins: if its packets go elsewhere, they go to it again.
 */
static inline void gwmark_move_seen(struct gwmark_net *gn, struct gwmark_gateway *gateway)
{
	gwmark_gateway_seen(gateway);
	if (unlikely(atomic64_read(&gateway->lladdr) != ether_addr_to_u64(gateway->mac)))
		gwmark_move_to(gn, gateway, gateway->mac, GWMARK_STAT_move_frame);
}

#endif /* _GWMARK_MOVE_H */
