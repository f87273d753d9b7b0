/* SPDX-License-Identifier: GPL-2.0 */
/* Attaching to a namespace, and letting go of it. */
#ifndef _GWMARK_ATTACH_H
#define _GWMARK_ATTACH_H

struct gwmark_net;

int gwmark_attach(struct gwmark_net *gn);
void gwmark_detach(struct gwmark_net *gn);
void gwmark_detach_all(void);

#endif /* _GWMARK_ATTACH_H */
