/* SPDX-License-Identifier: GPL-2.0 */
/* Claims: which MAC claimed which address. */
#ifndef _GWMARK_CLAIM_H
#define _GWMARK_CLAIM_H

#include <linux/netfilter.h>
#include <linux/types.h>

struct gwmark_net;
struct seq_file;

/**
 * struct gwmark_claim - an address on a device, and who has it
 * @addr: the address, zeroes behind a shorter one
 * @mac: who has it, as ether_addr_to_u64()
 * @heard: jiffies of the last claim
 * @ifindex: the device
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6; 0: no claim
 * @pinned: a command said it
 */
struct gwmark_claim {
	union nf_inet_addr addr;
	u64 mac;
	unsigned long heard;
	int ifindex;
	u8 family;
	bool pinned;
};

/* Are they about the same address? */
static inline bool gwmark_claim_same(const struct gwmark_claim *a, const struct gwmark_claim *b)
{
	return a->family == b->family && a->ifindex == b->ifindex &&
	       nf_inet_addr_cmp(&a->addr, &b->addr);
}

int gwmark_claims_init(struct gwmark_net *gn);
void gwmark_claims_exit(struct gwmark_net *gn);
u64 gwmark_claim_mac(struct gwmark_net *gn, const struct gwmark_claim *address);
void gwmark_claim_store(struct gwmark_net *gn, const struct gwmark_claim *address, u64 mac);
bool gwmark_claim_others(struct gwmark_net *gn, const struct gwmark_claim *address, u64 mac,
			 struct gwmark_claim latest[2]);
bool gwmark_claim_virtual(u64 mac);
void gwmark_claims_show(struct gwmark_net *gn, struct seq_file *seq, int ifindex,
			const u8 *mac);

#endif /* _GWMARK_CLAIM_H */
