// SPDX-License-Identifier: GPL-2.0
/* Attaching to a namespace, and letting go of it: `enable', `disable', unload. */

#include <linux/rtnetlink.h>

#include "attach.h"
#include "claim.h"
#include "flow.h"
#include "gateway.h"
#include "hook.h"
#include "net.h"
#include "table.h"

/* Set once, before the last namespace is detached: nobody attaches again. */
static bool unloading;

/**
 * gwmark_attach() - attach to a namespace
 * @gn: the namespace; its lock is held
 *
 * Context: process, may sleep.
 * Return: 0, also if it was attached already, or a negative errno.
 */
int gwmark_attach(struct gwmark_net *gn)
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
	if (gwmark_flow_label_users(gn->net))
		pr_notice_ratelimited("others use conntrack labels in this namespace, too\n");
	return 0;

err_hook:
	gwmark_claims_exit(gn);
err_claims:
	gwmark_table_exit(gn);
	return ret;
}

/**
 * gwmark_detach() - detach from a namespace
 * @gn: the namespace; its lock is held
 *
 * Context: process, sleeps for grace periods.
 */
void gwmark_detach(struct gwmark_net *gn)
{
	lockdep_assert_held(&gn->lock);
	if (!gn->enabled)
		return;
	gwmark_hook_unregister(gn);
	gwmark_table_exit(gn);
	gwmark_claims_exit(gn);
	gn->enabled = false;
}

/**
 * gwmark_detach_all() - detach from every namespace that is on the kernel's list
 *
 * Nobody attaches after this. A namespace that is off the list dies, and is
 * detached by its own exit.
 *
 * Context: process, sleeps for grace periods.
 */
void gwmark_detach_all(void)
{
	struct gwmark_net *gn;
	struct net *net;

	WRITE_ONCE(unloading, true);
	down_read(&net_rwsem);
	for_each_net(net) {
		gn = gwmark_net_of(net);
		mutex_lock(&gn->lock);
		gwmark_detach(gn);
		mutex_unlock(&gn->lock);
	}
	up_read(&net_rwsem);
}
