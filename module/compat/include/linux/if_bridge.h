/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Before 5.16 nobody but its owner is told of the VLANs of a bridge, but for the one of
 * untagged frames.
 */
#include_next <linux/if_bridge.h>

#ifndef _GWMARK_COMPAT_LINUX_IF_BRIDGE_H
#define _GWMARK_COMPAT_LINUX_IF_BRIDGE_H

#ifdef COMPAT_NO_VLAN_INFO
static inline int br_vlan_get_info_rcu(const struct net_device *dev, u16 vid,
				       struct bridge_vlan_info *info)
{
	u16 pvid;

	if (br_vlan_get_pvid_rcu(dev, &pvid) || pvid != vid)
		return -ENOENT;
	info->vid = vid;
	info->flags = BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED;
	return 0;
}
#endif

#endif /* _GWMARK_COMPAT_LINUX_IF_BRIDGE_H */
