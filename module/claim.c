// SPDX-License-Identifier: GPL-2.0
/*
 * Claims: which MAC claimed which address, in ARP and ND.
 *
 * The kernel's neighbour table does not serve: it keeps only whom this host talks
 * to, and a gateway that only sends to us drops out of it. This is a cache of
 * fixed size; what falls out of it costs the evidence of one move.
 */

#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <net/arp.h>
#include <net/ipv6.h>
#include <net/ndisc.h>
#include <net/neighbour.h>

#include "claim.h"
#include "move.h"
#include "net.h"
#include "stats.h"

enum {
	SET_BITS = 10,
	SETS = 1 << SET_BITS,
	WAYS = 4,
	/* Changes of MAC that are processed each second. */
	CHANGES_PER_SECOND = 256,
};

struct claim {
	union nf_inet_addr addr;
	u64 mac;
	unsigned long heard;
	int ifindex;
	u8 family; /* 0: free */
	bool pinned;
};

/**
 * struct gwmark_claims - the cache of a namespace
 * @lock: protects all of it; bottom halves off
 * @seed: of the hash
 * @second: jiffies at which the second of @changes began
 * @changes: changes in that second
 * @claims: sets of WAYS, each in no order
 */
struct gwmark_claims {
	spinlock_t lock; /* all of it, bottom halves off */
	u32 seed;
	unsigned long second;
	unsigned int changes;
	struct claim claims[SETS][WAYS];
};

/**
 * gwmark_claims_init() - give a namespace an empty cache
 * @gn: the namespace; its lock is held
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int gwmark_claims_init(struct gwmark_net *gn)
{
	struct gwmark_claims *claims = kvzalloc(sizeof(*claims), GFP_KERNEL);

	if (!claims)
		return -ENOMEM;
	spin_lock_init(&claims->lock);
	get_random_bytes(&claims->seed, sizeof(claims->seed));
	rcu_assign_pointer(gn->claims, claims);
	return 0;
}

/**
 * gwmark_claims_exit() - take the cache away
 * @gn: the namespace; its lock is held, its hooks are unregistered
 *
 * Context: process, sleeps for a grace period.
 */
void gwmark_claims_exit(struct gwmark_net *gn)
{
	struct gwmark_claims *claims;

	claims = rcu_replace_pointer(gn->claims, NULL, lockdep_is_held(&gn->lock));
	synchronize_rcu();
	kvfree(claims);
}

/* The claim for an address; if there is none, the place for it, with family 0. */
static struct claim *claim_of(struct gwmark_claims *claims, int ifindex, u8 family,
			      const union nf_inet_addr *addr)
{
	u32 hash = jhash2(addr->all, ARRAY_SIZE(addr->all), claims->seed ^ ifindex);
	struct claim *set = claims->claims[hash >> (32 - SET_BITS)], *oldest = NULL;
	unsigned int way;

	lockdep_assert_held(&claims->lock);
	for (way = 0; way < WAYS; way++) {
		struct claim *claim = &set[way];

		if (claim->family == family && claim->ifindex == ifindex &&
		    nf_inet_addr_cmp(&claim->addr, addr))
			return claim;
		if (!oldest || !claim->family ||
		    (oldest->family && oldest->pinned && !claim->pinned) ||
		    (oldest->family && oldest->pinned == claim->pinned &&
		     time_before(claim->heard, oldest->heard)))
			oldest = claim;
	}
	oldest->family = 0;
	oldest->pinned = false;
	return oldest;
}

static void claim_set(struct claim *claim, int ifindex, u8 family,
		      const union nf_inet_addr *addr, const u8 *mac)
{
	claim->addr = *addr;
	claim->mac = ether_addr_to_u64(mac);
	claim->heard = jiffies;
	claim->ifindex = ifindex;
	claim->family = family;
}

/* A flood of changes must cost its sender more than us. */
static bool change_allowed(struct gwmark_claims *claims)
{
	lockdep_assert_held(&claims->lock);
	if (time_after_eq(jiffies, claims->second + HZ)) {
		claims->second = jiffies;
		claims->changes = 0;
	}
	return claims->changes++ < CHANGES_PER_SECOND;
}

/*
 * The addresses that a MAC has: the latest of each family, family 0 if it has none.
 * A change is rare, and limited in rate, so the whole cache may be walked.
 */
static bool addresses_of(struct gwmark_claims *claims, int ifindex, u64 mac,
			 struct claim latest[2])
{
	struct claim *claim, *known;
	unsigned int i;

	lockdep_assert_held(&claims->lock);
	latest[0].family = 0;
	latest[1].family = 0;
	for (i = 0; i < SETS * WAYS; i++) {
		claim = &claims->claims[i / WAYS][i % WAYS];
		if (!claim->family || claim->mac != mac || claim->ifindex != ifindex)
			continue;
		known = &latest[claim->family == NFPROTO_IPV6];
		if (!known->family || time_after(claim->heard, known->heard))
			*known = *claim;
	}
	return latest[0].family || latest[1].family;
}

/*
 * Let the kernel ask for an address: the MAC that it has for it, or everyone. What an
 * administrator entered is left alone.
 */
static void ask(struct net_device *dev, const struct claim *claim)
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

static void claim_heard(struct gwmark_net *gn, struct net_device *dev, u8 family,
			const union nf_inet_addr *addr, const u8 *mac, bool weak)
{
	struct gwmark_claims *claims = rcu_dereference(gn->claims);
	bool known, changed, allowed = true, has_others = false;
	struct claim *claim, others[2];
	u8 before[ETH_ALEN];

	if (!claims || !is_valid_ether_addr(mac) || ether_addr_equal(mac, dev->dev_addr))
		return;
	spin_lock_bh(&claims->lock);
	claim = claim_of(claims, dev->ifindex, family, addr);
	known = claim->family;
	changed = known && claim->mac != ether_addr_to_u64(mac);
	if (changed) {
		u64_to_ether_addr(claim->mac, before);
		allowed = change_allowed(claims);
	}
	if (changed && weak && gwmark_move_refused(before, mac)) {
		spin_unlock_bh(&claims->lock);
		gwmark_stats_inc(gn, GWMARK_STAT_move_virtual);
		return;
	}
	if (allowed)
		claim_set(claim, dev->ifindex, family, addr, mac);
	if (allowed && changed)
		has_others = addresses_of(claims, dev->ifindex, ether_addr_to_u64(before),
					  others);
	spin_unlock_bh(&claims->lock);

	if (!allowed) {
		gwmark_stats_inc(gn, GWMARK_STAT_move_limited);
	} else if (!changed) {
		if (known)
			gwmark_move_heard(gn, dev, mac);
	} else if (gwmark_move_claimed(gn, dev, before, mac, has_others)) {
		ask(dev, &others[0]);
		ask(dev, &others[1]);
	}
}

/**
 * gwmark_claim_note() - a command says that a MAC has an address
 * @gn: namespace
 * @dev: on this device
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @addr: the address, zeroes behind a shorter one
 * @mac: the MAC
 *
 * Context: RCU read section.
 */
void gwmark_claim_note(struct gwmark_net *gn, const struct net_device *dev, u8 family,
		       const union nf_inet_addr *addr, const u8 *mac)
{
	struct gwmark_claims *claims = rcu_dereference(gn->claims);
	struct claim *claim;

	if (!claims)
		return;
	spin_lock_bh(&claims->lock);
	claim = claim_of(claims, dev->ifindex, family, addr);
	claim_set(claim, dev->ifindex, family, addr, mac);
	claim->pinned = true;
	spin_unlock_bh(&claims->lock);
}

/**
 * gwmark_claim_arp() - process an ARP packet (RFC 826, RFC 5227)
 * @gn: namespace
 * @skb: ARP packet, its header is checked and linear
 * @dev: where it arrived
 *
 * Context: RCU read section; does not sleep.
 */
void gwmark_claim_arp(struct gwmark_net *gn, const struct sk_buff *skb,
		      struct net_device *dev)
{
	const struct arphdr *arp = arp_hdr(skb);
	union nf_inet_addr sender = {};
	const u8 *sha = (const u8 *)(arp + 1);
	__be32 target;

	if (dev->type != ARPHRD_ETHER || dev->addr_len != ETH_ALEN ||
	    arp->ar_pro != htons(ETH_P_IP) || arp->ar_pln != sizeof(__be32))
		return;
	memcpy(&sender.ip, sha + ETH_ALEN, sizeof(sender.ip));
	memcpy(&target, sha + 2 * ETH_ALEN + sizeof(sender.ip), sizeof(target));
	if (!sender.ip)
		return; /* a probe claims nothing */
	claim_heard(gn, dev, NFPROTO_IPV4, &sender, sha,
		    arp->ar_op == htons(ARPOP_REQUEST) && sender.ip != target);
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
 * gwmark_claim_nd() - process a neighbour discovery message (RFC 4861)
 * @gn: namespace
 * @skb: ICMPv6 packet in LOCAL_IN
 * @dev: where it arrived
 *
 * Context: RCU read section; does not sleep.
 */
void gwmark_claim_nd(struct gwmark_net *gn, const struct sk_buff *skb,
		     struct net_device *dev)
{
	const struct ipv6hdr *hdr = ipv6_hdr(skb);
	unsigned int offset = skb_network_offset(skb) + sizeof(*hdr);
	union nf_inet_addr addr = { .in6 = hdr->saddr };
	u8 buffer[ETH_ALEN], option;
	struct nd_msg _msg;
	const struct nd_msg *msg;
	const u8 *mac;

	if (hdr->nexthdr != IPPROTO_ICMPV6 || hdr->hop_limit != 255 ||
	    dev->type != ARPHRD_ETHER || dev->addr_len != ETH_ALEN)
		return;
	msg = skb_header_pointer(skb, offset, sizeof(_msg), &_msg);
	if (!msg || msg->icmph.icmp6_code)
		return;
	switch (msg->icmph.icmp6_type) {
	case NDISC_NEIGHBOUR_ADVERTISEMENT:
		option = ND_OPT_TARGET_LL_ADDR;
		addr.in6 = msg->target;
		break;
	case NDISC_NEIGHBOUR_SOLICITATION:
		option = ND_OPT_SOURCE_LL_ADDR;
		break;
	default:
		return;
	}
	mac = nd_lladdr(skb, offset + sizeof(_msg), option, buffer);
	if (mac && !ipv6_addr_any(&addr.in6))
		claim_heard(gn, dev, NFPROTO_IPV6, &addr, mac,
			    option == ND_OPT_SOURCE_LL_ADDR);
}

/**
 * gwmark_claims_show() - print the addresses of a MAC, separated by commas
 * @gn: namespace
 * @seq: where to
 * @ifindex: device
 * @mac: the MAC
 *
 * Context: RCU read section.
 */
void gwmark_claims_show(struct gwmark_net *gn, struct seq_file *seq, int ifindex,
			const u8 *mac)
{
	struct gwmark_claims *claims = rcu_dereference(gn->claims);
	u64 wanted = ether_addr_to_u64(mac);
	const char *separator = "";
	const struct claim *claim;
	unsigned int i;

	if (!claims)
		return;
	spin_lock_bh(&claims->lock);
	for (i = 0; i < SETS * WAYS; i++) {
		claim = &claims->claims[i / WAYS][i % WAYS];
		if (!claim->family || claim->mac != wanted || claim->ifindex != ifindex)
			continue;
		if (claim->family == NFPROTO_IPV4)
			seq_printf(seq, "%s%pI4", separator, &claim->addr.ip);
		else
			seq_printf(seq, "%s%pI6c", separator, &claim->addr.in6);
		separator = ",";
	}
	spin_unlock_bh(&claims->lock);
}
