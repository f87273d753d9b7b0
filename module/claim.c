// SPDX-License-Identifier: GPL-2.0
/*
 * Claims: which MAC claimed which address.
 *
 * The kernel's neighbour table does not serve: it keeps only whom this host talks
 * to, and a gateway that only sends to us drops out of it. This is a cache of
 * fixed size; what falls out of it costs the evidence of one move.
 */

#include <linux/etherdevice.h>
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "claim.h"
#include "net.h"

enum {
	SET_BITS = 10,
	SETS = 1 << SET_BITS,
	WAYS = 4,
};

/**
 * struct gwmark_claims - the cache of a namespace
 * @lock: protects all of it; bottom halves off
 * @seed: of the hash
 * @claims: sets of WAYS, each in no order
 */
struct gwmark_claims {
	spinlock_t lock; /* all of it, bottom halves off */
	u32 seed;
	struct gwmark_claim claims[SETS][WAYS];
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
	struct gwmark_claims *claims = kvzalloc(sizeof(*claims), GFP_KERNEL_ACCOUNT);

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

/* The claim for an address, or NULL; then `oldest' is the place for it. */
static struct gwmark_claim *claim_find(struct gwmark_claims *claims,
				       const struct gwmark_claim *wanted,
				       struct gwmark_claim **oldest)
{
	u32 hash = jhash2(wanted->addr.all, ARRAY_SIZE(wanted->addr.all),
			  claims->seed ^ wanted->ifindex);
	struct gwmark_claim *set = claims->claims[hash >> (32 - SET_BITS)], *claim, *old = NULL;
	unsigned int way;

	lockdep_assert_held(&claims->lock);
	for (way = 0; way < WAYS; way++) {
		claim = &set[way];
		if (gwmark_claim_same(claim, wanted))
			return claim;
		if (!old || !claim->family ||
		    (old->family && old->pinned && !claim->pinned) ||
		    (old->family && old->pinned == claim->pinned &&
		     time_before(claim->heard, old->heard)))
			old = claim;
	}
	*oldest = old;
	return NULL;
}

/**
 * gwmark_claim_mac() - who has an address?
 * @gn: namespace
 * @address: ifindex, family and address
 *
 * Context: RCU read section; does not sleep.
 * Return: the MAC that claimed it last, as ether_addr_to_u64(); 0 if none is known.
 */
u64 gwmark_claim_mac(struct gwmark_net *gn, const struct gwmark_claim *address)
{
	struct gwmark_claims *claims = rcu_dereference(gn->claims);
	struct gwmark_claim *claim, *oldest;
	u64 mac = 0;

	if (!claims)
		return 0;
	spin_lock_bh(&claims->lock);
	claim = claim_find(claims, address, &oldest);
	if (claim)
		mac = claim->mac;
	spin_unlock_bh(&claims->lock);
	return mac;
}

/**
 * gwmark_claim_store() - remember who has an address
 * @gn: namespace
 * @address: ifindex, family and address; pinned if a command says so
 * @mac: the MAC, as ether_addr_to_u64()
 *
 * Context: RCU read section; does not sleep.
 */
void gwmark_claim_store(struct gwmark_net *gn, const struct gwmark_claim *address, u64 mac)
{
	struct gwmark_claims *claims = rcu_dereference(gn->claims);
	struct gwmark_claim *claim, *oldest;
	bool pinned = address->pinned;

	if (!claims)
		return;
	spin_lock_bh(&claims->lock);
	claim = claim_find(claims, address, &oldest);
	if (claim)
		pinned |= claim->pinned;
	else
		claim = oldest;
	*claim = *address;
	claim->mac = mac;
	claim->heard = jiffies;
	claim->pinned = pinned;
	spin_unlock_bh(&claims->lock);
}

/**
 * gwmark_claim_others() - which other addresses has a MAC?
 * @gn: namespace
 * @address: this one does not count
 * @mac: the MAC, as ether_addr_to_u64()
 * @latest: the latest of each family; family 0 where there is none
 *
 * Walks the whole cache: the caller limits how often.
 *
 * Context: RCU read section; does not sleep.
 * Return: true if it has any.
 */
bool gwmark_claim_others(struct gwmark_net *gn, const struct gwmark_claim *address, u64 mac,
			 struct gwmark_claim latest[2])
{
	struct gwmark_claims *claims = rcu_dereference(gn->claims);
	struct gwmark_claim *claim, *known;
	unsigned int i;

	latest[0].family = 0;
	latest[1].family = 0;
	if (!claims)
		return false;
	spin_lock_bh(&claims->lock);
	for (i = 0; i < SETS * WAYS; i++) {
		claim = &claims->claims[i / WAYS][i % WAYS];
		if (!claim->family || claim->mac != mac || claim->ifindex != address->ifindex ||
		    gwmark_claim_same(claim, address))
			continue;
		known = &latest[claim->family == NFPROTO_IPV6];
		if (!known->family || time_after(claim->heard, known->heard))
			*known = *claim;
	}
	spin_unlock_bh(&claims->lock);
	return latest[0].family || latest[1].family;
}

/*
 * MACs that routers share, so that a failover changes nothing for their
 * neighbours: VRRP (RFC 9568, 7.3), HSRP versions 1 and 2, GLBP.
 */
static const struct {
	u8 mac[ETH_ALEN] __aligned(2);
	u8 mask[ETH_ALEN] __aligned(2);
} shared_macs[] = {
	{ { 0x00, 0x00, 0x5e, 0x00, 0x01 }, { 0xff, 0xff, 0xff, 0xff, 0xff } },
	{ { 0x00, 0x00, 0x5e, 0x00, 0x02 }, { 0xff, 0xff, 0xff, 0xff, 0xff } },
	{ { 0x00, 0x00, 0x0c, 0x07, 0xac }, { 0xff, 0xff, 0xff, 0xff, 0xff } },
	{ { 0x00, 0x00, 0x0c, 0x9f, 0xf0 }, { 0xff, 0xff, 0xff, 0xff, 0xf0 } },
	{ { 0x00, 0x05, 0x73, 0xa0, 0x00 }, { 0xff, 0xff, 0xff, 0xff, 0xf0 } },
	{ { 0x00, 0x07, 0xb4, 0x00 }, { 0xff, 0xff, 0xff, 0xfc } },
};

/**
 * gwmark_claim_virtual() - is a MAC one that routers share?
 * @mac: the MAC, as ether_addr_to_u64()
 */
bool gwmark_claim_virtual(u64 mac)
{
	u8 addr[ETH_ALEN] __aligned(2);
	unsigned int i;

	u64_to_ether_addr(mac, addr);
	for (i = 0; i < ARRAY_SIZE(shared_macs); i++)
		if (ether_addr_equal_masked(addr, shared_macs[i].mac, shared_macs[i].mask))
			return true;
	return false;
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
	const struct gwmark_claim *claim;
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
