/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_STDDEF_H
#define _KSHIM_LINUX_STDDEF_H
/* Mapping onto the compiler's <stddef.h> and the UAPI header of the same name. */
#include <stddef.h>
#include_next <linux/stddef.h>

#define sizeof_field(type, member)	sizeof((((type *)0)->member))
#define offsetofend(type, member)	(offsetof(type, member) + sizeof_field(type, member))

#endif
