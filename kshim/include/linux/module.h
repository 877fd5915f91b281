/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_MODULE_H
#define _KSHIM_LINUX_MODULE_H
/* Empty: there are no modules. */
#include <linux/export.h>
#include <linux/init.h>

#define MODULE_LICENSE(license)
#define MODULE_AUTHOR(author)
#define MODULE_DESCRIPTION(description)

#endif
