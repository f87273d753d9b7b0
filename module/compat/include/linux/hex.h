/* SPDX-License-Identifier: GPL-2.0 */
/* mac_pton() and similar functions moved out of kernel.h. */
#ifdef COMPAT_NO_HEX_H
#include <linux/kernel.h>
#else
#include_next <linux/hex.h>
#endif
