// SPDX-License-Identifier: GPL-2.0
/* Hearing who claims an address, in ARP and ND; the kernel asks in return. */

#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/netfilter_ipv6.h>
#include <net/arp.h>
#include <net/ipv6.h>
#include <net/ndisc.h>
#include <net/neighbour.h>

#include "address.h"
#include "claim.h"
#include "hear.h"
#include "move.h"
#include "net.h"
#include "stats.h"

/* How much a claim weighs against who has the address. */
enum weight {
	/* a request to someone else, which only names its sender */
	IN_PASSING,
	/* an advertisement without Override: it takes nothing from anybody */
	NO_OVERRIDE,
	CLAIM,
};

/*
 * Let the kernel ask for an address: the MAC that it has for it, or everyone. What an
 * administrator entered is left alone.
 */
static void ask(struct net_device *dev, const struct gwmark_claim *claim)
{
	struct neigh_table *table = claim->family == NFPROTO_IPV4 ? &arp_tbl : &nd_tbl;
	u32 flags = NEIGH_UPDATE_F_ADMIN;
	struct neighbour *neigh;
	u8 state;

	if (!claim->family)
		return;
	neigh = __neigh_lookup(table, &claim->addr, dev, 1);
	if (!neigh)
		return;
	state = READ_ONCE(neigh->nud_state);
	if (neigh->flags & NTF_EXT_LEARNED)
		flags |= NEIGH_UPDATE_F_EXT_LEARNED;
	if (!(state & NUD_VALID))
		neigh_event_send(neigh, NULL);
	else if (!(state & (NUD_PERMANENT | NUD_NOARP)))
		neigh_update(neigh, NULL, NUD_PROBE, flags, 0);
	neigh_release(neigh);
}

static void heard(struct gwmark_net *gn, struct net_device *dev,
		  const struct gwmark_claim *address, const u8 *mac, enum weight weight)
{
	u64 new = ether_addr_to_u64(mac), old;
	enum gwmark_move_verdict verdict;
	struct gwmark_claim others[2];

	if (!is_valid_ether_addr(mac) || gwmark_address_own(dev, mac))
		return;
	old = gwmark_claim_mac(gn, address);
	if (!old || old == new) {
		gwmark_claim_store(gn, address, new);
		if (old)
			gwmark_move_heard(gn, dev, mac);
		return;
	}
	if (weight == NO_OVERRIDE) {
		gwmark_stats_inc(gn, GWMARK_STAT_move_no_override);
		return;
	}
	/*
	 * A router may send its requests from its own MAC and its virtual address;
	 * that does not take the address from the shared MAC.
	 */
	if (weight == IN_PASSING && gwmark_claim_virtual(old) && !gwmark_claim_virtual(new)) {
		gwmark_stats_inc(gn, GWMARK_STAT_move_virtual);
		return;
	}
	verdict = gwmark_move_claimed(gn, dev, address, old, new, others);
	if (verdict == GWMARK_MOVE_REFUSED)
		return;
	gwmark_claim_store(gn, address, new);
	if (verdict == GWMARK_MOVE_DOUBTED) {
		ask(dev, &others[0]);
		ask(dev, &others[1]);
	}
}

/**
 * gwmark_hear_arp() - process an ARP packet (RFC 826, RFC 5227)
 * @gn: namespace
 * @skb: ARP packet, its header is checked and linear
 * @dev: where it arrived
 *
 * Context: RCU read section; does not sleep.
 */
void gwmark_hear_arp(struct gwmark_net *gn, const struct sk_buff *skb,
		     struct net_device *dev)
{
	struct gwmark_claim address = { .ifindex = dev->ifindex, .family = NFPROTO_IPV4 };
	const struct arphdr *arp = arp_hdr(skb);
	const u8 *sha = (const u8 *)(arp + 1);
	bool in_passing;
	__be32 target;

	if (dev->type != ARPHRD_ETHER || dev->addr_len != ETH_ALEN ||
	    arp->ar_pro != htons(ETH_P_IP) || arp->ar_pln != sizeof(__be32))
		return;
	memcpy(&address.addr.ip, sha + ETH_ALEN, sizeof(address.addr.ip));
	memcpy(&target, sha + 2 * ETH_ALEN + sizeof(address.addr.ip), sizeof(target));
	if (!address.addr.ip)
		return; /* a probe claims nothing */
	in_passing = arp->ar_op == htons(ARPOP_REQUEST) && address.addr.ip != target;
	heard(gn, dev, &address, sha, in_passing ? IN_PASSING : CLAIM);
}

/* The link-layer address in an option of the given type, or NULL. */
static const u8 *nd_lladdr(const struct sk_buff *skb, unsigned int offset, u8 type,
			   u8 *buffer)
{
	const u8 *option;
	u8 head[2];

	for (; offset + 8 <= skb->len; offset += head[1] * 8) {
		option = skb_header_pointer(skb, offset, sizeof(head), head);
		if (!option || !option[1])
			return NULL;
		head[0] = option[0];
		head[1] = option[1];
		if (head[0] == type && head[1] == 1)
			return skb_header_pointer(skb, offset + 2, ETH_ALEN, buffer);
	}
	return NULL;
}

/**
 * gwmark_hear_nd() - process a neighbour discovery message (RFC 4861)
 * @gn: namespace
 * @skb: IPv6 packet in LOCAL_IN
 * @dev: where it arrived
 *
 * As the kernel, it believes nothing in fragments (RFC 6980), nothing with a wrong
 * checksum, and no advertisement without Override against another (7.2.5).
 *
 * Context: RCU read section; does not sleep.
 */
void gwmark_hear_nd(struct gwmark_net *gn, struct sk_buff *skb, struct net_device *dev)
{
	const struct ipv6hdr *hdr = ipv6_hdr(skb);
	unsigned int offset = skb_network_offset(skb) + sizeof(*hdr);
	struct gwmark_claim address = {
		.addr.in6 = hdr->saddr, .ifindex = dev->ifindex, .family = NFPROTO_IPV6,
	};
	u8 buffer[ETH_ALEN] __aligned(2), option;
	enum weight weight = IN_PASSING;
	struct nd_msg _msg;
	const struct nd_msg *msg;
	const u8 *mac;

	if (hdr->nexthdr != IPPROTO_ICMPV6 || hdr->hop_limit != 255 ||
	    IP6CB(skb)->flags & IP6SKB_FRAGMENTED ||
	    dev->type != ARPHRD_ETHER || dev->addr_len != ETH_ALEN)
		return;
	msg = skb_header_pointer(skb, offset, sizeof(_msg), &_msg);
	if (!msg || msg->icmph.icmp6_code)
		return;
	switch (msg->icmph.icmp6_type) {
	case NDISC_NEIGHBOUR_ADVERTISEMENT:
		option = ND_OPT_TARGET_LL_ADDR;
		address.addr.in6 = msg->target;
		weight = msg->icmph.icmp6_override ? CLAIM : NO_OVERRIDE;
		break;
	case NDISC_NEIGHBOUR_SOLICITATION:
		option = ND_OPT_SOURCE_LL_ADDR;
		break;
	default:
		return;
	}
	mac = nd_lladdr(skb, offset + sizeof(_msg), option, buffer);
	if (!mac || ipv6_addr_any(&address.addr.in6))
		return;
	if (nf_ip6_checksum(skb, NF_INET_LOCAL_IN, offset, IPPROTO_ICMPV6)) {
		gwmark_stats_inc(gn, GWMARK_STAT_move_bad_checksum);
		return;
	}
	heard(gn, dev, &address, mac, weight);
}
