// SPDX-License-Identifier: GPL-2.0
/* /proc/net/gwmark of a namespace: the files, and who may write. */

#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/jiffies.h>

#include "claim.h"
#include "flow.h"
#include "gateway.h"
#include "move.h"
#include "net.h"
#include "proc.h"
#include "stats.h"
#include "table.h"

static void show_abi(struct seq_file *seq)
{
	seq_printf(seq, "gwmark %d\n", GWMARK_ABI);
}

static void show_uplink(struct gwmark_net *gn, const struct gwmark_config *config,
			struct seq_file *seq)
{
	struct gwmark_gateway *gateway;

	if (config->uplink_mode == GWMARK_UPLINK_AUTO) {
		seq_puts(seq, "uplink auto\n");
		return;
	}
	gateway = gwmark_gateway_find_id(gn, READ_ONCE(gn->uplink));
	if (gateway)
		seq_printf(seq, "uplink %s %pM\n", gateway->dev->name, gateway->mac);
	else
		seq_puts(seq, "uplink none\n");
}

static int config_show(struct seq_file *seq, void *v)
{
	struct gwmark_net *gn = gwmark_net_of(seq_file_single_net(seq));
	const struct gwmark_config *config;

	show_abi(seq);
	rcu_read_lock();
	config = rcu_dereference(gn->config);
	seq_printf(seq, "enabled %d\n", READ_ONCE(gn->enabled));
	seq_printf(seq, "reply_mark 0x%x/0x%x\n", config->reply.value, config->reply.mask);
	seq_printf(seq, "orig_mark 0x%x/0x%x\n", config->orig.value, config->orig.mask);
	seq_printf(seq, "learn_onlink %s\n", config->learn_onlink ? "on" : "off");
	show_uplink(gn, config, seq);
	seq_printf(seq, "max_gateways %u\n", gwmark_table_max());
	seq_printf(seq, "gateways %u\n", gwmark_table_size(gn));
	seq_printf(seq, "label_users %u\n", gwmark_flow_label_users(gn->net));
	rcu_read_unlock();
	return 0;
}

static int stats_show(struct seq_file *seq, void *v)
{
	show_abi(seq);
	gwmark_stats_show(gwmark_net_of(seq_file_single_net(seq)), seq);
	return 0;
}

static int control_show(struct seq_file *seq, void *v)
{
	show_abi(seq);
	gwmark_control_show(seq);
	return 0;
}

static void show_gateway(struct gwmark_net *gn, struct gwmark_gateway *gateway,
			 struct seq_file *seq)
{
	struct gwmark_gateway_count sum = {};
	const struct gwmark_gateway_count *count;
	unsigned long seen = READ_ONCE(gateway->last_seen);
	u8 send[ETH_ALEN] __aligned(2);
	int cpu;

	for_each_possible_cpu(cpu) {
		count = per_cpu_ptr(gateway->count, cpu);
		sum.learned += READ_ONCE(count->learned);
		sum.sent_packets += READ_ONCE(count->sent_packets);
		sum.sent_bytes += READ_ONCE(count->sent_bytes);
	}
	gwmark_move_due(gn, gateway);
	u64_to_ether_addr(atomic64_read(&gateway->lladdr), send);
	seq_printf(seq, "id=%u dev=%s ifindex=%d mac=%pM send=%pM pinned=%d uplink=%d ",
		   gateway->id, gateway->dev->name, gateway->dev->ifindex, gateway->mac,
		   send, READ_ONCE(gateway->pinned), READ_ONCE(gn->uplink) == gateway->id);
	if (seen)
		seq_printf(seq, "idle_ms=%u ", jiffies_to_msecs(jiffies - seen));
	else
		seq_puts(seq, "idle_ms=-1 ");
	seq_printf(seq, "learned=%lu sent_packets=%lu sent_bytes=%lu moves=%u ordered=%d addresses=",
		   sum.learned, sum.sent_packets, sum.sent_bytes, READ_ONCE(gateway->moves),
		   READ_ONCE(gateway->ordered));
	gwmark_claims_show(gn, seq, gateway->dev->ifindex, gateway->mac);
	seq_putc(seq, '\n');
}

/* Position 0 is the first line; the others are indexes of the table. */
static void *gateway_at(struct seq_file *seq, loff_t *pos)
{
	struct gwmark_gateway *gateway;
	u32 index = *pos;

	if (!*pos)
		return SEQ_START_TOKEN;
	gateway = gwmark_gateway_next(gwmark_net_of(seq_file_net(seq)), &index);
	*pos = index;
	return gateway;
}

static void *gateways_start(struct seq_file *seq, loff_t *pos)
	__acquires(RCU)
{
	rcu_read_lock();
	return gateway_at(seq, pos);
}

static void *gateways_next(struct seq_file *seq, void *v, loff_t *pos)
{
	(*pos)++;
	return gateway_at(seq, pos);
}

static void gateways_stop(struct seq_file *seq, void *v)
	__releases(RCU)
{
	rcu_read_unlock();
}

static int gateways_show(struct seq_file *seq, void *v)
{
	if (v == SEQ_START_TOKEN)
		show_abi(seq);
	else
		show_gateway(gwmark_net_of(seq_file_net(seq)), v, seq);
	return 0;
}

static const struct seq_operations gateways_ops = {
	.start = gateways_start,
	.next = gateways_next,
	.stop = gateways_stop,
	.show = gateways_show,
};

/*
 * @buf is the line, with a NUL behind it, as proc_simple_write() gives it; that
 * refuses what exceeds a page with EINVAL.
 */
static int control_write(struct file *file, char *buf, size_t size)
{
	struct net *net = seq_file_single_net(file->private_data);
	struct gwmark_net *gn = gwmark_net_of(net);
	int ret;

	if (!file_ns_capable(file, net->user_ns, CAP_NET_ADMIN))
		return -EPERM;
	if (size && buf[size - 1] == '\n')
		buf[--size] = '\0';
	if (size > GWMARK_LINE_MAX)
		ret = -E2BIG;
	else if (strlen(buf) != size)
		ret = -EINVAL;
	else
		ret = gwmark_control_line(gn, buf);
	if (ret)
		gwmark_stats_inc(gn, GWMARK_STAT_control_refused);
	return ret;
}

/**
 * gwmark_proc_init() - make /proc/net/gwmark
 * @gn: the namespace
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int gwmark_proc_init(struct gwmark_net *gn)
{
	struct net *net = gn->net;
	struct proc_dir_entry *file;

	gn->proc = proc_net_mkdir(net, "gwmark", net->proc_net);
	if (!gn->proc)
		return -ENOMEM;
	file = proc_create_net_single_write("control", 0600, gn->proc, control_show,
					    control_write, NULL);
	if (!file)
		goto err_files;
	/* root of the namespace's owner, who need not be the host's */
	proc_set_user(file, make_kuid(net->user_ns, 0), make_kgid(net->user_ns, 0));
	if (!proc_create_net_single("config", 0444, gn->proc, config_show, NULL) ||
	    !proc_create_net_single("stats", 0444, gn->proc, stats_show, NULL) ||
	    !proc_create_net_data("gateways", 0444, gn->proc, &gateways_ops,
				  sizeof(struct seq_net_private), NULL) ||
	    !proc_create_net_data("flows", 0440, gn->proc, &gwmark_flows_ops,
				  gwmark_flows_state_size, NULL))
		goto err_files;
	return 0;

err_files:
	proc_remove(gn->proc);
	return -ENOMEM;
}

/**
 * gwmark_proc_exit() - remove /proc/net/gwmark; waits for its readers
 * @gn: the namespace
 */
void gwmark_proc_exit(struct gwmark_net *gn)
{
	proc_remove(gn->proc);
}
