/* SPDX-License-Identifier: GPL-2.0 */
/* ip6_fragment() is exported since IPv6 cannot be a module; before, by pointer. */
#include_next <net/ip6_route.h>

#ifndef _GWMARK_COMPAT_NET_IP6_ROUTE_H
#define _GWMARK_COMPAT_NET_IP6_ROUTE_H

#ifdef COMPAT_IPV6_STUB
#include <net/ipv6_stubs.h>
#define ip6_fragment(net, sk, skb, output) \
	ipv6_stub->ipv6_fragment(net, sk, skb, output)
#endif

#endif /* _GWMARK_COMPAT_NET_IP6_ROUTE_H */
