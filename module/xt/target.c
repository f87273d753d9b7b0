// SPDX-License-Identifier: GPL-2.0
/*
 * The target GWMARK of iptables: xt_GWMARK.ko. include/uapi/xt_GWMARK.h is its
 * manual. It needs nothing of gwmark.ko, and gwmark.ko nothing of x_tables.
 */

#include <linux/module.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/netfilter/nf_conntrack.h>

#include "uapi/xt_GWMARK.h"

#define GWMARK_HOOKS (BIT(NF_INET_PRE_ROUTING) | BIT(NF_INET_LOCAL_OUT))

static unsigned int gwmark_tg(struct sk_buff *skb, const struct xt_action_param *par)
{
	const struct xt_gwmark_tginfo *info = par->targinfo;
	enum ip_conntrack_info ctinfo;

	/* NULL for a packet that is INVALID or not tracked. */
	if (!nf_ct_get(skb, &ctinfo))
		return XT_CONTINUE;
	if (CTINFO2DIR(ctinfo) == IP_CT_DIR_ORIGINAL)
		skb->mark = (skb->mark & ~info->orig_mask) | info->orig_mark;
	else
		skb->mark = (skb->mark & ~info->reply_mask) | info->reply_mark;
	return XT_CONTINUE;
}

static bool is_mark(u32 mark, u32 mask)
{
	return mask ? mark && !(mark & ~mask) : !mark;
}

static int gwmark_tg_check(const struct xt_tgchk_param *par)
{
	const struct xt_gwmark_tginfo *info = par->targinfo;

	if (!info->orig_mask && !info->reply_mask)
		return -EINVAL;
	if (!is_mark(info->orig_mark, info->orig_mask) ||
	    !is_mark(info->reply_mark, info->reply_mask))
		return -EINVAL;
	/* Conntrack inspects packets only if something requires it. */
	return nf_ct_netns_get(par->net, par->family);
}

static void gwmark_tg_destroy(const struct xt_tgdtor_param *par)
{
	nf_ct_netns_put(par->net, par->family);
}

static struct xt_target gwmark_tg_reg[] __read_mostly = {
	{
		.name = "GWMARK",
		.family = NFPROTO_IPV4,
		.table = "mangle",
		.hooks = GWMARK_HOOKS,
		.target = gwmark_tg,
		.targetsize = sizeof(struct xt_gwmark_tginfo),
		.checkentry = gwmark_tg_check,
		.destroy = gwmark_tg_destroy,
		.me = THIS_MODULE,
	}, {
		.name = "GWMARK",
		.family = NFPROTO_IPV6,
		.table = "mangle",
		.hooks = GWMARK_HOOKS,
		.target = gwmark_tg,
		.targetsize = sizeof(struct xt_gwmark_tginfo),
		.checkentry = gwmark_tg_check,
		.destroy = gwmark_tg_destroy,
		.me = THIS_MODULE,
	},
};

static int __init gwmark_tg_init(void)
{
	return xt_register_targets(gwmark_tg_reg, ARRAY_SIZE(gwmark_tg_reg));
}

static void __exit gwmark_tg_exit(void)
{
	xt_unregister_targets(gwmark_tg_reg, ARRAY_SIZE(gwmark_tg_reg));
}

module_init(gwmark_tg_init);
module_exit(gwmark_tg_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("iptables target that gives packets the marks of gwmark");
MODULE_ALIAS("ipt_GWMARK");
MODULE_ALIAS("ip6t_GWMARK");
