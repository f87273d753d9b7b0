// SPDX-License-Identifier: GPL-2.0
/* Load and unload; one gwmark_net for each network namespace; its devices. */

#include <linux/init.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "attach.h"
#include "dst.h"
#include "gateway.h"
#include "net.h"
#include "proc.h"
#include "send.h"
#include "stats.h"

static int __net_init net_init(struct net *net)
{
	struct gwmark_net *gn = gwmark_net_of(net);
	struct gwmark_config *config;
	int ret;

	gn->net = net;
	mutex_init(&gn->lock);
	config = kzalloc(sizeof(*config), GFP_KERNEL_ACCOUNT);
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
	gwmark_detach(gn);
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

static const struct gwmark_dst_output outputs = {
	.ipv4 = gwmark_send_output4,
	.ipv6 = gwmark_send_output6,
};

static int __init gwmark_init(void)
{
	int ret;

	gwmark_dst_use(&outputs);
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

/*
 * A namespace that dies is off the kernel's list, and gwmark_detach_all() does not
 * find it. Its devices wait for our gateways to let go of them, which the notifier
 * tells us, while its death keeps everyone else from unregistering a notifier or
 * namespace operations. So the notifier stays until nothing is attached, and its
 * unregistration waits for the dying: after that no gateway can be left.
 */
static void __exit gwmark_exit(void)
{
	gwmark_detach_all();
	unregister_netdevice_notifier(&netdev_notifier);
	unregister_pernet_subsys(&net_ops);
	/* No dst leads here, and no callback of ours is left. */
	rcu_barrier();
	/*
	 * But a sender may have read dst.output before, and been preempted on its way
	 * to the call, outside of any RCU read section.
	 */
	synchronize_rcu_tasks();
	pr_info("unloaded\n");
}

module_init(gwmark_init);
module_exit(gwmark_exit);

MODULE_DESCRIPTION("Return VPN flows to the link-layer gateway that they came from");
MODULE_AUTHOR("The gwmark authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("1");
