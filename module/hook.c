// SPDX-License-Identifier: GPL-2.0
/* Where the kernel calls us: one small function for each netfilter hook. */

#include <linux/netfilter_arp.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/netfilter/nf_conntrack.h>

#include "capture.h"
#include "flow.h"
#include "hear.h"
#include "hook.h"
#include "learn.h"
#include "net.h"
#include "steer.h"

/*
 * A mark that selects is never 0, and most packets of a machine have the mark 0:
 * they are let go before anything of ours is looked at.
 */
static bool unmarked(const struct sk_buff *skb)
{
	return likely(!skb->mark);
}

static unsigned int learn(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (unmarked(skb))
		return NF_ACCEPT;
	return gwmark_learn(gwmark_net_of(state->net), skb, state);
}

static unsigned int learn_translated(void *priv, struct sk_buff *skb,
				     const struct nf_hook_state *state)
{
	if (unmarked(skb))
		return NF_ACCEPT;
	return gwmark_learn_translated(gwmark_net_of(state->net), skb, state);
}

static unsigned int keep(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (ct && unlikely(!nf_ct_is_confirmed(ct)))
		gwmark_flow_keep(ct);
	return NF_ACCEPT;
}

static unsigned int send_back(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (unmarked(skb))
		return NF_ACCEPT;
	return gwmark_steer_received(gwmark_net_of(state->net), skb, state->pf);
}

static unsigned int output(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (unmarked(skb))
		return NF_ACCEPT;
	return gwmark_steer_output(gwmark_net_of(state->net), skb, state->out, state->pf);
}

static unsigned int hear_arp(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	gwmark_hear_arp(gwmark_net_of(state->net), skb, state->in);
	return NF_ACCEPT;
}

static unsigned int hear_nd(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (ipv6_hdr(skb)->nexthdr == IPPROTO_ICMPV6)
		gwmark_hear_nd(gwmark_net_of(state->net), skb, state->in);
	return NF_ACCEPT;
}

static unsigned int capture(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (unmarked(skb))
		return NF_ACCEPT;
	return gwmark_capture(gwmark_net_of(state->net), skb, state);
}

/*
 * One list for IPv4 and IPv6, whose priorities are the same.
 *
 * Learning comes behind the rules that set marks, and right before NAT: rules at
 * mangle's priority may copy marks of flows into their packets, and ours come after
 * those. For flows that NAT changed, once more if it is done.
 * Sending comes last, so that NAT and every other hook are done.
 */
static const struct nf_hook_ops inet_ops[] = {
	{
		.hook = learn,
		.pf = NFPROTO_INET,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP_PRI_NAT_DST - 1,
	}, {
		.hook = learn_translated,
		.pf = NFPROTO_INET,
		.hooknum = NF_INET_LOCAL_IN,
		.priority = NF_IP_PRI_MANGLE + 1,
	}, {
		.hook = learn_translated,
		.pf = NFPROTO_INET,
		.hooknum = NF_INET_FORWARD,
		.priority = NF_IP_PRI_MANGLE + 1,
	}, {
		.hook = keep,
		.pf = NFPROTO_INET,
		.hooknum = NF_INET_FORWARD,
		.priority = NF_IP_PRI_LAST,
	}, {
		.hook = send_back,
		.pf = NFPROTO_INET,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP_PRI_LAST,
	}, {
		.hook = output,
		.pf = NFPROTO_INET,
		.hooknum = NF_INET_LOCAL_OUT,
		.priority = NF_IP_PRI_LAST,
	}, {
		.hook = hear_nd,
		.pf = NFPROTO_IPV6,
		.hooknum = NF_INET_LOCAL_IN,
		.priority = NF_IP6_PRI_LAST,
	},
};

static const struct nf_hook_ops arp_ops[] = {
	{
		.hook = hear_arp,
		.pf = NFPROTO_ARP,
		.hooknum = NF_ARP_IN,
		.priority = INT_MAX,
	},
};

static const struct nf_hook_ops bridge_ops[] = {
	{
		.hook = capture,
		.pf = NFPROTO_BRIDGE,
		.hooknum = NF_BR_PRE_ROUTING,
		.priority = NF_BR_PRI_BRNF - 1,
	},
};

/* Kernels without the family have no such packets to show. */
static int register_optional(struct net *net, bool enabled, const struct nf_hook_ops *ops,
			     unsigned int count)
{
	return enabled ? nf_register_net_hooks(net, ops, count) : 0;
}

/**
 * gwmark_hook_register() - attach to a namespace
 * @gn: the namespace, its table and claims are ready
 *
 * Context: process, may sleep.
 * Return: 0 or a negative errno; then nothing is attached.
 */
int gwmark_hook_register(struct gwmark_net *gn)
{
	bool arp = IS_ENABLED(CONFIG_NETFILTER_FAMILY_ARP);
	bool bridge = IS_ENABLED(CONFIG_NETFILTER_FAMILY_BRIDGE);
	struct net *net = gn->net;
	int ret;

	/* Conntrack inspects packets only if something requires it. */
	ret = nf_ct_netns_get(net, NFPROTO_INET);
	if (ret)
		return ret;
	ret = register_optional(net, arp, arp_ops, ARRAY_SIZE(arp_ops));
	if (ret)
		goto err_arp;
	ret = register_optional(net, bridge, bridge_ops, ARRAY_SIZE(bridge_ops));
	if (ret)
		goto err_bridge;
	ret = nf_register_net_hooks(net, inet_ops, ARRAY_SIZE(inet_ops));
	if (ret)
		goto err_inet;
	return 0;

err_inet:
	if (bridge)
		nf_unregister_net_hooks(net, bridge_ops, ARRAY_SIZE(bridge_ops));
err_bridge:
	if (arp)
		nf_unregister_net_hooks(net, arp_ops, ARRAY_SIZE(arp_ops));
err_arp:
	nf_ct_netns_put(net, NFPROTO_INET);
	return ret;
}

/**
 * gwmark_hook_unregister() - detach from a namespace
 * @gn: the namespace
 *
 * A packet of ours may wait in user space (NFQUEUE) with one of our functions to
 * return to. Unregistering a hook drops the queued packets of a namespace, so one
 * is unregistered after the last packet came through.
 *
 * Context: process, sleeps for a grace period. Receive hooks have ended then.
 */
void gwmark_hook_unregister(struct gwmark_net *gn)
{
	struct net *net = gn->net;

	if (IS_ENABLED(CONFIG_NETFILTER_FAMILY_BRIDGE))
		nf_unregister_net_hooks(net, bridge_ops, ARRAY_SIZE(bridge_ops));
	if (IS_ENABLED(CONFIG_NETFILTER_FAMILY_ARP))
		nf_unregister_net_hooks(net, arp_ops, ARRAY_SIZE(arp_ops));
	nf_unregister_net_hooks(net, inet_ops, ARRAY_SIZE(inet_ops) - 1);
	synchronize_net();
	nf_unregister_net_hooks(net, &inet_ops[ARRAY_SIZE(inet_ops) - 1], 1);
	nf_ct_netns_put(net, NFPROTO_INET);
}
