// SPDX-License-Identifier: GPL-2.0
/* The commands of /proc/net/gwmark/control. The uapi header is their manual. */

#include <linux/ctype.h>
#include <linux/etherdevice.h>
#include <linux/hex.h>
#include <linux/if_arp.h>
#include <linux/inet.h>
#include <linux/kernel.h>
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "attach.h"
#include "claim.h"
#include "gateway.h"
#include "move.h"
#include "net.h"
#include "proc.h"
#include "uplink.h"

enum {
	/* "gateway add DEV MAC" and eight addresses */
	WORDS_MAX = 12,
	ADDRESSES_AT = 4,
};

struct words {
	unsigned int count;
	char *word[WORDS_MAX];
};

static int words_parse(struct words *words, char *line)
{
	char *word;

	words->count = 0;
	while ((word = strsep(&line, " \t"))) {
		if (!*word)
			continue;
		if (words->count == WORDS_MAX)
			return -EINVAL;
		words->word[words->count++] = word;
	}
	return 0;
}

static int mac_parse(const char *word, u8 *mac)
{
	if (strlen(word) != 3 * ETH_ALEN - 1 || !mac_pton(word, mac))
		return -EINVAL;
	return is_valid_ether_addr(mac) ? 0 : -EINVAL;
}

static int address_parse(const char *word, struct gwmark_claim *address)
{
	const char *end;

	memset(address, 0, sizeof(*address));
	address->pinned = true;
	if (in4_pton(word, -1, (u8 *)&address->addr.ip, -1, &end))
		address->family = NFPROTO_IPV4;
	else if (in6_pton(word, -1, (u8 *)&address->addr.in6, -1, &end))
		address->family = NFPROTO_IPV6;
	else
		return -EINVAL;
	/* both silently stop at unknown characters */
	return *end ? -EINVAL : 0;
}

static int mark_parse(char *word, struct gwmark_mark *mark)
{
	char *mask = strchr(word, '/');

	if (mask)
		*mask++ = '\0';
	mark->mask = GWMARK_DEFAULT_MASK;
	if (kstrtou32(word, 0, &mark->value) || (mask && kstrtou32(mask, 0, &mark->mask)))
		return -EINVAL;
	return mark->value && !(mark->value & ~mark->mask) ? 0 : -EINVAL;
}

static int switch_parse(const char *word, bool *value)
{
	*value = !strcmp(word, "on");
	return *value || !strcmp(word, "off") ? 0 : -EINVAL;
}

/* Within an RCU read section. */
static struct net_device *device_find(struct gwmark_net *gn, const char *name)
{
	struct net_device *dev;

	if (!gn->enabled)
		return ERR_PTR(-ENETDOWN);
	dev = dev_get_by_name_rcu(gn->net, name);
	if (!dev)
		return ERR_PTR(-ENODEV);
	if (dev->type != ARPHRD_ETHER || dev->addr_len != ETH_ALEN)
		return ERR_PTR(-EOPNOTSUPP);
	return dev;
}

static int config_replace(struct gwmark_net *gn, const struct gwmark_config *changed)
{
	struct gwmark_config *config = kmemdup(changed, sizeof(*changed), GFP_KERNEL_ACCOUNT), *old;

	if (!config)
		return -ENOMEM;
	old = rcu_replace_pointer(gn->config, config, lockdep_is_held(&gn->lock));
	kfree_rcu(old, rcu);
	return 0;
}

static struct gwmark_config config_copy(struct gwmark_net *gn)
{
	return *rcu_dereference_protected(gn->config, lockdep_is_held(&gn->lock));
}

static int do_enable(struct gwmark_net *gn, struct words *words)
{
	return gwmark_attach(gn);
}

static int do_disable(struct gwmark_net *gn, struct words *words)
{
	gwmark_detach(gn);
	return 0;
}

static int do_set(struct gwmark_net *gn, struct words *words)
{
	struct gwmark_config config = config_copy(gn);
	char *value = words->word[2];
	int ret = -EINVAL;

	if (!strcmp(words->word[1], "reply_mark"))
		ret = mark_parse(value, &config.reply);
	else if (!strcmp(words->word[1], "orig_mark"))
		ret = mark_parse(value, &config.orig);
	else if (!strcmp(words->word[1], "learn_onlink"))
		ret = switch_parse(value, &config.learn_onlink);
	return ret ?: config_replace(gn, &config);
}

static int do_gateway_add(struct gwmark_net *gn, struct words *words)
{
	struct gwmark_claim addresses[WORDS_MAX - ADDRESSES_AT];
	unsigned int i, count = words->count - ADDRESSES_AT;
	struct gwmark_gateway *gateway;
	struct net_device *dev;
	u8 mac[ETH_ALEN] __aligned(2);
	int ret;

	ret = mac_parse(words->word[3], mac);
	for (i = 0; !ret && i < count; i++)
		ret = address_parse(words->word[ADDRESSES_AT + i], &addresses[i]);
	if (ret)
		return ret;

	rcu_read_lock();
	dev = device_find(gn, words->word[2]);
	if (IS_ERR(dev)) {
		ret = PTR_ERR(dev);
		goto out;
	}
	gateway = gwmark_gateway_add(gn, dev, mac, true);
	if (IS_ERR(gateway)) {
		ret = PTR_ERR(gateway);
		goto out;
	}
	for (i = 0; i < count; i++) {
		addresses[i].ifindex = dev->ifindex;
		gwmark_claim_store(gn, &addresses[i], ether_addr_to_u64(mac));
	}
out:
	rcu_read_unlock();
	return ret;
}

static int do_gateway(struct gwmark_net *gn, struct words *words)
{
	struct net_device *dev;
	u8 mac[ETH_ALEN] __aligned(2);
	int ret;

	if (!strcmp(words->word[1], "add"))
		return do_gateway_add(gn, words);
	if (strcmp(words->word[1], "del") || words->count != 4)
		return -EINVAL;
	ret = mac_parse(words->word[3], mac);
	if (ret)
		return ret;
	rcu_read_lock();
	dev = device_find(gn, words->word[2]);
	ret = IS_ERR(dev) ? PTR_ERR(dev) : gwmark_gateway_del(gn, dev, mac);
	rcu_read_unlock();
	return ret;
}

static int uplink_mode_set(struct gwmark_net *gn, enum gwmark_uplink_mode mode, u32 id)
{
	struct gwmark_config config = config_copy(gn);
	int ret;

	config.uplink_mode = mode;
	ret = config_replace(gn, &config);
	if (!ret)
		gwmark_uplink_set(gn, id);
	return ret;
}

static int do_uplink(struct gwmark_net *gn, struct words *words)
{
	struct gwmark_gateway *gateway;
	struct net_device *dev;
	u8 mac[ETH_ALEN] __aligned(2);
	u32 id = 0;
	int ret;

	if (words->count == 2 && !strcmp(words->word[1], "auto"))
		return uplink_mode_set(gn, GWMARK_UPLINK_AUTO, 0);
	if (words->count == 2 && !strcmp(words->word[1], "none"))
		return uplink_mode_set(gn, GWMARK_UPLINK_NONE, 0);
	if (words->count != 3)
		return -EINVAL;
	ret = mac_parse(words->word[2], mac);
	if (ret)
		return ret;
	rcu_read_lock();
	dev = device_find(gn, words->word[1]);
	gateway = IS_ERR(dev) ? ERR_CAST(dev) : gwmark_gateway_add(gn, dev, mac, true);
	ret = PTR_ERR_OR_ZERO(gateway);
	if (!ret)
		id = gateway->id;
	rcu_read_unlock();
	return ret ?: uplink_mode_set(gn, GWMARK_UPLINK_PINNED, id);
}

static int do_move(struct gwmark_net *gn, struct words *words)
{
	struct gwmark_gateway *gateway;
	u8 from[ETH_ALEN] __aligned(2), to[ETH_ALEN] __aligned(2);
	bool keep = words->count == 5;
	struct net_device *dev;
	int ret;

	if (mac_parse(words->word[2], from) || mac_parse(words->word[3], to) ||
	    (keep && strcmp(words->word[4], "keep")))
		return -EINVAL;
	rcu_read_lock();
	dev = device_find(gn, words->word[1]);
	ret = PTR_ERR_OR_ZERO(dev);
	if (ret)
		goto out;
	gateway = gwmark_gateway_find(gn, dev, from);
	ret = gateway ? 0 : -ENOENT;
	if (gateway)
		gwmark_move_order(gn, gateway, to, keep);
out:
	rcu_read_unlock();
	return ret;
}

static int do_flush(struct gwmark_net *gn, struct words *words)
{
	struct net_device *dev = NULL;
	int ret = 0;

	if (!gn->enabled)
		return -ENETDOWN;
	rcu_read_lock();
	if (words->count == 2) {
		dev = device_find(gn, words->word[1]);
		ret = PTR_ERR_OR_ZERO(dev);
	}
	if (!ret)
		gwmark_gateway_flush(gn, dev);
	rcu_read_unlock();
	return ret;
}

static const struct command {
	const char *name;
	unsigned int words_min;
	unsigned int words_max;
	int (*run)(struct gwmark_net *gn, struct words *words);
	const char *usage;
} commands[] = {
	{ "enable", 1, 1, do_enable, "enable\n" },
	{ "disable", 1, 1, do_disable, "disable\n" },
	{ "set", 3, 3, do_set,
	  "set reply_mark VALUE[/MASK]\nset orig_mark VALUE[/MASK]\nset learn_onlink on|off\n" },
	{ "gateway", 4, WORDS_MAX, do_gateway,
	  "gateway add DEV MAC [ADDR...]\ngateway del DEV MAC\n" },
	{ "uplink", 2, 3, do_uplink, "uplink auto\nuplink none\nuplink DEV MAC\n" },
	{ "move", 4, 5, do_move, "move DEV MAC MAC [keep]\n" },
	{ "flush", 1, 2, do_flush, "flush [DEV]\n" },
};

/**
 * gwmark_control_line() - execute one command
 * @gn: namespace
 * @line: the command, without newline; changed
 *
 * Context: process, may sleep. The caller has checked the right to do so.
 * Return: 0 or a negative errno, see the uapi header; then nothing changed.
 */
int gwmark_control_line(struct gwmark_net *gn, char *line)
{
	struct words words;
	unsigned int i;
	int ret;

	ret = words_parse(&words, line);
	if (ret || !words.count)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *command = &commands[i];

		if (strcmp(words.word[0], command->name))
			continue;
		if (words.count < command->words_min || words.count > command->words_max)
			return -EINVAL;
		mutex_lock(&gn->lock);
		ret = command->run(gn, &words);
		mutex_unlock(&gn->lock);
		return ret;
	}
	return -EINVAL;
}

/**
 * gwmark_control_show() - print the commands
 * @seq: where to
 */
void gwmark_control_show(struct seq_file *seq)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		seq_puts(seq, commands[i].usage);
}
