/* SPDX-License-Identifier: GPL-2.0 */
/* The table of gateways of a namespace. */
#ifndef _GWMARK_TABLE_H
#define _GWMARK_TABLE_H

struct gwmark_net;

int gwmark_table_init(struct gwmark_net *gn);
void gwmark_table_exit(struct gwmark_net *gn);
unsigned int gwmark_table_size(struct gwmark_net *gn);

#endif /* _GWMARK_TABLE_H */
