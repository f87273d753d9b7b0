// SPDX-License-Identifier: GPL-2.0
/* The part of the target GWMARK that iptables loads: options, save, translation. */

#include <stdio.h>
#include <string.h>
#include <xtables.h>

#include "uapi/xt_GWMARK.h"

enum {
	O_REPLY_MARK,
	O_ORIG_MARK,
	F_REPLY_MARK = 1 << O_REPLY_MARK,
	F_ORIG_MARK = 1 << O_ORIG_MARK,
};

/* As gwmark.ko has it: the other bits of a mark are another program's. */
#define DEFAULT_MASK 0xff

static const struct xt_option_entry gwmark_opts[] = {
	{.name = "reply-mark", .id = O_REPLY_MARK, .type = XTTYPE_MARKMASK32},
	{.name = "orig-mark", .id = O_ORIG_MARK, .type = XTTYPE_MARKMASK32},
	XTOPT_TABLEEND,
};

static void gwmark_help(void)
{
	printf("GWMARK target options:\n"
	       "  --reply-mark value[/mask]    Mark packets of the reply direction\n"
	       "  --orig-mark value[/mask]     Mark packets of the original direction\n"
	       "                               At least one of them; the mask is 0x%x by default\n",
	       DEFAULT_MASK);
}

static void gwmark_parse(struct xt_option_call *cb)
{
	struct xt_gwmark_tginfo *info = cb->data;
	__u32 mask;

	xtables_option_parse(cb);
	mask = strchr(cb->arg, '/') ? cb->val.mask : DEFAULT_MASK;
	if (!cb->val.mark || (cb->val.mark & ~mask))
		xtables_error(PARAMETER_PROBLEM,
			      "GWMARK: --%s %s: a mark is not 0 and within its mask 0x%x",
			      cb->entry->name, cb->arg, mask);
	if (cb->entry->id == O_REPLY_MARK) {
		info->reply_mark = cb->val.mark;
		info->reply_mask = mask;
	} else {
		info->orig_mark = cb->val.mark;
		info->orig_mask = mask;
	}
}

static void gwmark_check(struct xt_fcheck_call *cb)
{
	if (!(cb->xflags & (F_REPLY_MARK | F_ORIG_MARK)))
		xtables_error(PARAMETER_PROBLEM,
			      "GWMARK: at least one of --reply-mark and --orig-mark is required");
}

static void gwmark_save(const void *ip, const struct xt_entry_target *target)
{
	const struct xt_gwmark_tginfo *info = (const void *)target->data;

	if (info->reply_mask)
		printf(" --reply-mark 0x%x/0x%x", info->reply_mark, info->reply_mask);
	if (info->orig_mask)
		printf(" --orig-mark 0x%x/0x%x", info->orig_mark, info->orig_mask);
}

static void gwmark_print(const void *ip, const struct xt_entry_target *target, int numeric)
{
	const struct xt_gwmark_tginfo *info = (const void *)target->data;

	printf(" GWMARK");
	if (info->reply_mask)
		printf(" reply 0x%x/0x%x", info->reply_mark, info->reply_mask);
	if (info->orig_mask)
		printf(" original 0x%x/0x%x", info->orig_mark, info->orig_mask);
}

static void translate(struct xt_xlate *xl, const char *direction, __u32 mark, __u32 mask)
{
	xt_xlate_add(xl, "ct direction %s meta mark set ", direction);
	if (mask == 0xffffffff)
		xt_xlate_add(xl, "0x%x", mark);
	else
		xt_xlate_add(xl, "mark and 0x%x or 0x%x", ~mask, mark);
}

/* A rule of nft that marks one direction ends where the other does not match. */
static int gwmark_xlate(struct xt_xlate *xl, const struct xt_xlate_tg_params *params)
{
	const struct xt_gwmark_tginfo *info = (const void *)params->target->data;
	int both = info->reply_mask && info->orig_mask;

	if (both)
		xt_xlate_add(xl, "jump { ");
	if (info->reply_mask)
		translate(xl, "reply", info->reply_mark, info->reply_mask);
	if (both)
		xt_xlate_add(xl, "; ");
	if (info->orig_mask)
		translate(xl, "original", info->orig_mark, info->orig_mask);
	if (both)
		xt_xlate_add(xl, "; }");
	return 1;
}

static struct xtables_target gwmark_target = {
	.version = XTABLES_VERSION,
	.name = "GWMARK",
	.family = NFPROTO_UNSPEC,
	.size = XT_ALIGN(sizeof(struct xt_gwmark_tginfo)),
	.userspacesize = XT_ALIGN(sizeof(struct xt_gwmark_tginfo)),
	.help = gwmark_help,
	.print = gwmark_print,
	.save = gwmark_save,
	.x6_parse = gwmark_parse,
	.x6_fcheck = gwmark_check,
	.x6_options = gwmark_opts,
	.xlate = gwmark_xlate,
};

static void __attribute__((constructor)) gwmark_register(void)
{
	xtables_register_target(&gwmark_target);
}
