/* SPDX-License-Identifier: GPL-2.0 */
/* Where the kernel calls us. */
#ifndef _GWMARK_HOOK_H
#define _GWMARK_HOOK_H

struct gwmark_net;

int gwmark_hook_register(struct gwmark_net *gn);
void gwmark_hook_unregister(struct gwmark_net *gn);

#endif /* _GWMARK_HOOK_H */
