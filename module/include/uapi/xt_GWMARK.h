/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * GWMARK: a target of iptables that gives packets the marks of gwmark.
 *
 * WHAT IT DOES
 *
 *   It sets bits of the packet mark by the direction of the packet in its
 *   conntrack entry, and lets the packet continue to the next rule.
 *
 *     original direction   mark = (mark & ~orig_mask) | orig_mark
 *     reply direction      mark = (mark & ~reply_mask) | reply_mark
 *     no conntrack entry   untouched (INVALID, and what NOTRACK let through)
 *
 *   A direction whose mask is 0 is untouched. ICMP errors have the direction of
 *   their sender: one that answers a packet of the original direction is of the
 *   reply direction.
 *
 *   What a mark leads to is the business of gwmark.ko, see gwmark.h: there, by
 *   default, both marks are 0x32 under the mask 0xff.
 *
 * WHERE
 *
 *   Table mangle, chains PREROUTING and OUTPUT and those that only they lead to;
 *   IPv4 and IPv6. Both flavours of iptables.
 *
 *   A rule is refused (EINVAL) in which both masks are 0, a mark is 0 where its
 *   mask is not, or a mark has bits outside of its mask.
 *
 * The structure is the ABI of revision 0; another would be another revision.
 */
#ifndef _UAPI_XT_GWMARK_H
#define _UAPI_XT_GWMARK_H

#include <linux/types.h>

/**
 * struct xt_gwmark_tginfo - what a rule says
 * @reply_mark: mark of packets of the reply direction
 * @reply_mask: its bits; 0: packets of this direction are untouched
 * @orig_mark: mark of packets of the original direction
 * @orig_mask: its bits; 0: packets of this direction are untouched
 */
struct xt_gwmark_tginfo {
	__u32 reply_mark;
	__u32 reply_mask;
	__u32 orig_mark;
	__u32 orig_mask;
};

#endif /* _UAPI_XT_GWMARK_H */
