// SPDX-License-Identifier: GPL-2.0
/*
 * The gateway of last resort: where selected packets go that begin a flow here or
 * in the tunnel, and that no route explains.
 *
 * Unless a command names it, it is the gateway that this host's own replies go to
 * (those of OpenVPN to its clients, so the way to the internet). Until there was
 * such a reply it is the router that captured frames were bound for.
 *
 * A flow that a client or this host opens goes there until its first answer comes:
 * from then on it takes the way that the answer came.
 */

#include "flow.h"
#include "gateway.h"
#include "net.h"
#include "uplink.h"

/**
 * gwmark_uplink_find() - the uplink of a namespace
 * @gn: the namespace
 *
 * Context: RCU read section.
 * Return: the gateway, or NULL.
 */
struct gwmark_gateway *gwmark_uplink_find(struct gwmark_net *gn)
{
	return gwmark_gateway_find_id(gn, READ_ONCE(gn->uplink));
}

/**
 * gwmark_uplink_answered() - where the answers of a flow come from that began here
 * @gn: the namespace
 * @ct: conntrack entry of a flow that began in the tunnel or on this host
 *
 * An entry that is not yet in the table gets room to remember it.
 *
 * Context: RCU read section.
 * Return: the gateway, or NULL while none is known.
 */
struct gwmark_gateway *gwmark_uplink_answered(struct gwmark_net *gn, struct nf_conn *ct)
{
	u32 *words = gwmark_flow_words(ct);

	if (words)
		return gwmark_gateway_find_id(gn, READ_ONCE(words[GWMARK_FLOW_DESTINATION]));
	if (!nf_ct_is_confirmed(ct))
		gwmark_flow_words_create(ct);
	return NULL;
}

static bool automatic(struct gwmark_net *gn)
{
	return rcu_dereference(gn->config)->uplink_mode == GWMARK_UPLINK_AUTO;
}

/**
 * gwmark_uplink_replied() - a reply of this host went to a gateway
 * @gn: namespace
 * @gateway: the gateway
 *
 * Context: RCU read section.
 */
void gwmark_uplink_replied(struct gwmark_net *gn, const struct gwmark_gateway *gateway)
{
	if (READ_ONCE(gn->uplink) == gateway->id && READ_ONCE(gn->uplink_proven))
		return;
	if (!automatic(gn))
		return;
	WRITE_ONCE(gn->uplink, gateway->id);
	WRITE_ONCE(gn->uplink_proven, true);
}

/**
 * gwmark_uplink_captured() - a captured frame was bound for a gateway
 * @gn: namespace
 * @gateway: the gateway
 *
 * Context: RCU read section.
 */
void gwmark_uplink_captured(struct gwmark_net *gn, const struct gwmark_gateway *gateway)
{
	if (READ_ONCE(gn->uplink) == gateway->id || !automatic(gn))
		return;
	if (READ_ONCE(gn->uplink_proven) && gwmark_uplink_find(gn))
		return;
	WRITE_ONCE(gn->uplink, gateway->id);
	WRITE_ONCE(gn->uplink_proven, false);
}

/**
 * gwmark_uplink_set() - set or forget the uplink
 * @gn: namespace
 * @id: gateway id, 0 for none
 */
void gwmark_uplink_set(struct gwmark_net *gn, u32 id)
{
	WRITE_ONCE(gn->uplink, id);
	WRITE_ONCE(gn->uplink_proven, false);
}
