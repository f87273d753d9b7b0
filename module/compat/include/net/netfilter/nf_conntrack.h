/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The count of references became a refcount_t in 5.17, and later in stable kernels of 5.10 and 5.15: the type tells, not the
 * version.
 */
#include_next <net/netfilter/nf_conntrack.h>

#ifndef _GWMARK_COMPAT_NET_NF_CONNTRACK_H
#define _GWMARK_COMPAT_NET_NF_CONNTRACK_H

/* Takes a reference unless the last one is gone already. */
#define nf_ct_get_unless_zero(ct) \
	_Generic(&(ct)->ct_general.use, \
		 atomic_t *: gwmark_atomic_inc_not_zero, \
		 refcount_t *: gwmark_refcount_inc_not_zero)(&(ct)->ct_general.use)

static inline bool gwmark_atomic_inc_not_zero(atomic_t *use)
{
	return atomic_inc_not_zero(use);
}

static inline bool gwmark_refcount_inc_not_zero(refcount_t *use)
{
	return refcount_inc_not_zero(use);
}

#endif /* _GWMARK_COMPAT_NET_NF_CONNTRACK_H */
