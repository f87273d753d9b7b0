// SPDX-License-Identifier: GPL-2.0
/* Load and unload; one gwmark_net for each network namespace; its devices. */

#include <linux/init.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/netns/generic.h>

#include "claim.h"
#include "gateway.h"
#include "hook.h"
#include "net.h"
#include "proc.h"
#include "stats.h"

static unsigned int gwmark_net_id;

/* Set once, before the last namespace is detached: nobody attaches again. */
static bool unloading;

/**
 * gwmark_net_of() - what we keep for a namespace
 * @net: the namespace
 *
 * Return: never NULL while the module is loaded.
 */
struct gwmark_net *gwmark_net_of(const struct net *net)
{
	return net_generic(net, gwmark_net_id);
}

/**
 * gwmark_net_enable() - attach to a namespace
 * @gn: the namespace; its lock is held
 *
 * Context: process, may sleep.
 * Return: 0, also if it was attached already, or a negative errno.
 */
int gwmark_net_enable(struct gwmark_net *gn)
{
	int ret;

	lockdep_assert_held(&gn->lock);
	if (gn->enabled)
		return 0;
	if (READ_ONCE(unloading))
		return -ENETDOWN;
	ret = gwmark_table_init(gn);
	if (ret)
		return ret;
	ret = gwmark_claims_init(gn);
	if (ret)
		goto err_claims;
	ret = gwmark_hook_register(gn);
	if (ret)
		goto err_hook;
	gn->enabled = true;
	return 0;

err_hook:
	gwmark_claims_exit(gn);
err_claims:
	gwmark_table_exit(gn);
	return ret;
}

/**
 * gwmark_net_disable() - detach from a namespace
 * @gn: the namespace; its lock is held
 *
 * Context: process, sleeps for grace periods.
 */
void gwmark_net_disable(struct gwmark_net *gn)
{
	lockdep_assert_held(&gn->lock);
	if (!gn->enabled)
		return;
	gwmark_hook_unregister(gn);
	gwmark_table_exit(gn);
	gwmark_claims_exit(gn);
	gn->enabled = false;
}

static int __net_init net_init(struct net *net)
{
	struct gwmark_net *gn = gwmark_net_of(net);
	struct gwmark_config *config;
	int ret;

	gn->net = net;
	mutex_init(&gn->lock);
	config = kzalloc(sizeof(*config), GFP_KERNEL);
	if (!config)
		return -ENOMEM;
	config->reply.value = GWMARK_DEFAULT_MARK;
	config->reply.mask = GWMARK_DEFAULT_MASK;
	config->orig = config->reply;
	RCU_INIT_POINTER(gn->config, config);
	ret = gwmark_stats_init(gn);
	if (ret)
		goto err_stats;
	ret = gwmark_proc_init(gn);
	if (ret)
		goto err_proc;
	return 0;

err_proc:
	gwmark_stats_exit(gn);
err_stats:
	kfree(config);
	return ret;
}

static void __net_exit net_exit(struct net *net)
{
	struct gwmark_net *gn = gwmark_net_of(net);

	gwmark_proc_exit(gn);
	mutex_lock(&gn->lock);
	gwmark_net_disable(gn);
	mutex_unlock(&gn->lock);
	gwmark_stats_exit(gn);
	kfree(rcu_dereference_protected(gn->config, true));
}

static struct pernet_operations net_ops = {
	.init = net_init,
	.exit = net_exit,
	.id = &gwmark_net_id,
	.size = sizeof(struct gwmark_net),
};

/*
 * First phase of forgetting a device: its gateways are unlinked, so that no
 * packet finds them. The second, after a grace period, gives the references
 * back: gateway_free_rcu().
 */
static int netdev_event(struct notifier_block *block, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	if (event == NETDEV_DOWN || event == NETDEV_UNREGISTER)
		gwmark_gateway_flush(gwmark_net_of(dev_net(dev)), dev);
	return NOTIFY_DONE;
}

static struct notifier_block netdev_notifier = {
	.notifier_call = netdev_event,
};

static int __init gwmark_init(void)
{
	int ret;

	ret = register_pernet_subsys(&net_ops);
	if (ret)
		return ret;
	ret = register_netdevice_notifier(&netdev_notifier);
	if (ret)
		goto err_notifier;
	pr_info("loaded, ABI %d\n", GWMARK_ABI);
	return 0;

err_notifier:
	unregister_pernet_subsys(&net_ops);
	return ret;
}

static void __exit gwmark_exit(void)
{
	struct gwmark_net *gn;
	struct net *net;

	unregister_netdevice_notifier(&netdev_notifier);
	WRITE_ONCE(unloading, true);
	down_read(&net_rwsem);
	for_each_net(net) {
		gn = gwmark_net_of(net);
		mutex_lock(&gn->lock);
		gwmark_net_disable(gn);
		mutex_unlock(&gn->lock);
	}
	up_read(&net_rwsem);
	/* No gateway is left then, and no dst leads here. */
	rcu_barrier();
	/*
	 * But a sender may have read dst.output before, and been preempted on its way
	 * to the call, outside of any RCU read section.
	 */
	synchronize_rcu_tasks();
	unregister_pernet_subsys(&net_ops);
	pr_info("unloaded\n");
}

module_init(gwmark_init);
module_exit(gwmark_exit);

MODULE_DESCRIPTION("Return VPN flows to the link-layer gateway that they came from");
MODULE_AUTHOR("The gwmark authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("1");
