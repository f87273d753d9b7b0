/* SPDX-License-Identifier: GPL-2.0 */
/* mac_pton() and its like came out of kernel.h. */
#if __has_include_next(<linux/hex.h>)
#include_next <linux/hex.h>
#else
#include <linux/kernel.h>
#endif
