/* SPDX-License-Identifier: GPL-2.0 */
/* The count of users became atomic in 6.7. */
#include_next <net/netfilter/nf_conntrack_labels.h>

#ifndef _GWMARK_COMPAT_NET_NF_CONNTRACK_LABELS_H
#define _GWMARK_COMPAT_NET_NF_CONNTRACK_LABELS_H

static inline unsigned int gwmark_plain_read(const unsigned int *users)
{
	return READ_ONCE(*users);
}

static inline unsigned int gwmark_atomic_read(const atomic_t *users)
{
	return atomic_read(users);
}

/* How many asked nf_connlabels_get() for labels in a namespace. */
#define nf_connlabels_users(net) \
	_Generic(&(net)->ct.labels_used, \
		 const unsigned int *: gwmark_plain_read, \
		 const atomic_t *: gwmark_atomic_read)(&(net)->ct.labels_used)

#endif /* _GWMARK_COMPAT_NET_NF_CONNTRACK_LABELS_H */
