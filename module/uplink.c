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

enum {
	/* Three times the usual interval of OpenVPN's keepalive. */
	SILENT_S = 30,
};

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

/* Nothing was seen of it for so long that another may take its place. */
static bool silent(const struct gwmark_gateway *gateway)
{
	unsigned long seen = READ_ONCE(gateway->last_seen) ?: gateway->created;

	return time_after(jiffies, seen + SILENT_S * HZ);
}

/*
 * The better proven gateway is the uplink, and of two alike the one that is there: a
 * frame from another MAC shall not draw the flows of all clients to itself.
 */
static void offer(struct gwmark_net *gn, const struct gwmark_gateway *gateway,
		  enum gwmark_uplink_proof proof)
{
	enum gwmark_uplink_proof proven = READ_ONCE(gn->uplink_proof);
	const struct gwmark_gateway *present;

	if (READ_ONCE(gn->uplink) == gateway->id) {
		if (proof > proven)
			WRITE_ONCE(gn->uplink_proof, proof);
		return;
	}
	if (rcu_dereference(gn->config)->uplink_mode != GWMARK_UPLINK_AUTO)
		return;
	present = gwmark_uplink_find(gn);
	if (present && gwmark_gateway_usable(present) && proof <= proven &&
	    !(proof == proven && silent(present)))
		return;
	WRITE_ONCE(gn->uplink, gateway->id);
	WRITE_ONCE(gn->uplink_proof, proof);
}

/**
 * gwmark_uplink_replied() - a reply of this host goes to a gateway
 * @gn: namespace
 * @gateway: the gateway
 * @ct: conntrack entry of the reply
 *
 * Anyone can send a question; that its flow goes on shows that answers arrive.
 *
 * Context: RCU read section.
 */
void gwmark_uplink_replied(struct gwmark_net *gn, const struct gwmark_gateway *gateway,
			   const struct nf_conn *ct)
{
	offer(gn, gateway, test_bit(IPS_ASSURED_BIT, &ct->status) ? GWMARK_UPLINK_ASSURED :
								    GWMARK_UPLINK_REPLIED);
}

/**
 * gwmark_uplink_followed() - a flow's frames come from another gateway than before
 * @gn: namespace
 * @old: id of the gateway that they came from
 * @gateway: the gateway that they come from
 * @ct: conntrack entry of the flow
 *
 * If the flow proves as much as the uplink rests on, the uplink goes along: its router has
 * another MAC, or another router took its place.
 *
 * Context: RCU read section.
 */
void gwmark_uplink_followed(struct gwmark_net *gn, u32 old, const struct gwmark_gateway *gateway,
			    const struct nf_conn *ct)
{
	enum gwmark_uplink_proof proof = GWMARK_UPLINK_REPLIED;

	if (READ_ONCE(gn->uplink) != old || !test_bit(IPS_SEEN_REPLY_BIT, &ct->status) ||
	    rcu_dereference(gn->config)->uplink_mode != GWMARK_UPLINK_AUTO)
		return;
	if (test_bit(IPS_ASSURED_BIT, &ct->status))
		proof = GWMARK_UPLINK_ASSURED;
	if (proof < READ_ONCE(gn->uplink_proof))
		return;
	WRITE_ONCE(gn->uplink, gateway->id);
	WRITE_ONCE(gn->uplink_proof, proof);
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
	offer(gn, gateway, GWMARK_UPLINK_CAPTURED);
}

/**
 * gwmark_uplink_set() - set or forget the uplink
 * @gn: namespace
 * @id: gateway id, 0 for none
 */
void gwmark_uplink_set(struct gwmark_net *gn, u32 id)
{
	WRITE_ONCE(gn->uplink, id);
	WRITE_ONCE(gn->uplink_proof, GWMARK_UPLINK_CAPTURED);
}
