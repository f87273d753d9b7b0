/* SPDX-License-Identifier: GPL-2.0 */
/* skb_gso_segment() has had this header of its own since 6.5. */
#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#include_next <net/gso.h>
#else
#include <linux/netdevice.h>
#endif
