/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_STRING_H
#define _KSHIM_LINUX_STRING_H
/* Mapping onto libc. kstrdup() is in <linux/slab.h>. */
#include <string.h>
#include <linux/types.h>

#endif
