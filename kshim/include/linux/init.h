/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_INIT_H
#define _KSHIM_LINUX_INIT_H
/* Empty: whoever uses a part of core/ calls its init function. */
#include <linux/compiler.h>

#define __init

#define early_initcall(fn)
#define core_initcall(fn)
#define subsys_initcall(fn)
#define late_initcall(fn)

#endif
