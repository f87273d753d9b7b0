/* SPDX-License-Identifier: GPL-2.0 */
/* Since 5.18, a delivery time is distinguished from a receive time. */
#include_next <linux/skbuff.h>

#ifndef _GWMARK_COMPAT_LINUX_SKBUFF_H
#define _GWMARK_COMPAT_LINUX_SKBUFF_H

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 18, 0)
static inline void skb_clear_tstamp(struct sk_buff *skb)
{
	skb->tstamp = 0;
}
#endif

#endif /* _GWMARK_COMPAT_LINUX_SKBUFF_H */
