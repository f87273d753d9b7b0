/* SPDX-License-Identifier: GPL-2.0 */
/* The gateway of last resort. */
#ifndef _GWMARK_UPLINK_H
#define _GWMARK_UPLINK_H

#include <linux/types.h>

struct gwmark_gateway;
struct gwmark_net;
struct nf_conn;

struct gwmark_gateway *gwmark_uplink_find(struct gwmark_net *gn);
struct gwmark_gateway *gwmark_uplink_answered(struct gwmark_net *gn, struct nf_conn *ct);
void gwmark_uplink_replied(struct gwmark_net *gn, const struct gwmark_gateway *gateway,
			   const struct nf_conn *ct);
void gwmark_uplink_followed(struct gwmark_net *gn, u32 old, const struct gwmark_gateway *gateway,
			    const struct nf_conn *ct);
void gwmark_uplink_captured(struct gwmark_net *gn, const struct gwmark_gateway *gateway);
void gwmark_uplink_set(struct gwmark_net *gn, u32 id);

#endif /* _GWMARK_UPLINK_H */
