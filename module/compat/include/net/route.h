/* SPDX-License-Identifier: GPL-2.0 */
/* rt_dst_alloc() lost its nopolicy argument in 5.17. */
#include_next <net/route.h>

#ifndef _GWMARK_COMPAT_NET_ROUTE_H
#define _GWMARK_COMPAT_NET_ROUTE_H

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
#define rt_dst_alloc(dev, flags, type, noxfrm) \
	rt_dst_alloc(dev, flags, type, false, noxfrm)
#endif

#endif /* _GWMARK_COMPAT_NET_ROUTE_H */
