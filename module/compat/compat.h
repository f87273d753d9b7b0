/* SPDX-License-Identifier: GPL-2.0 */
/* Included before every file: the floor, and what the log lines begin with. */
#ifndef _GWMARK_COMPAT_H
#define _GWMARK_COMPAT_H

#include <linux/kconfig.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 10, 0)
#error "gwmark needs Linux 5.10 or later"
#endif

#if !IS_ENABLED(CONFIG_NF_CONNTRACK_LABELS)
#error "gwmark needs CONFIG_NF_CONNTRACK_LABELS"
#endif

#if !IS_ENABLED(CONFIG_IPV6)
#error "gwmark needs CONFIG_IPV6 (ipv6.disable=1 at boot is fine)"
#endif

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#endif /* _GWMARK_COMPAT_H */
