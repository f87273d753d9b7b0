/* SPDX-License-Identifier: GPL-2.0 */
/* /proc/net/gwmark of a namespace. */
#ifndef _GWMARK_PROC_H
#define _GWMARK_PROC_H

#include <linux/proc_fs.h>
#include <linux/seq_file.h>

struct gwmark_net;

int gwmark_proc_init(struct gwmark_net *gn);
void gwmark_proc_exit(struct gwmark_net *gn);

/* control.c */
int gwmark_control_line(struct gwmark_net *gn, char *line);
void gwmark_control_show(struct seq_file *seq);

/* flows.c; a private area of this size for each reader */
extern const struct seq_operations gwmark_flows_ops;
extern const unsigned int gwmark_flows_state_size;

#endif /* _GWMARK_PROC_H */
