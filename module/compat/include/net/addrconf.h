/* SPDX-License-Identifier: GPL-2.0 */
/* A device can be told to forward IPv6, whatever the host does, since 6.17. */
#include_next <net/addrconf.h>

#ifndef _GWMARK_COMPAT_NET_ADDRCONF_H
#define _GWMARK_COMPAT_NET_ADDRCONF_H

static inline bool ipv6_force_forwarding(const struct inet6_dev *idev)
{
#ifdef COMPAT_NO_FORCE_FORWARDING
	return false;
#else
	return idev && READ_ONCE(idev->cnf.force_forwarding);
#endif
}

#endif /* _GWMARK_COMPAT_NET_ADDRCONF_H */
