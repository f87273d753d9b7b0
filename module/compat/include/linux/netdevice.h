/* SPDX-License-Identifier: GPL-2.0 */
/* Device references with a tracker: named so since 6.0. */
#include_next <linux/netdevice.h>

#ifndef _GWMARK_COMPAT_LINUX_NETDEVICE_H
#define _GWMARK_COMPAT_LINUX_NETDEVICE_H

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
typedef struct {} netdevice_tracker;
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 0, 0)
static inline void netdev_hold(struct net_device *dev, netdevice_tracker *tracker, gfp_t gfp)
{
	dev_hold(dev);
}

static inline void netdev_put(struct net_device *dev, netdevice_tracker *tracker)
{
	dev_put(dev);
}
#endif

#endif /* _GWMARK_COMPAT_LINUX_NETDEVICE_H */
