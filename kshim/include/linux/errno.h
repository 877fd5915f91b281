/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_ERRNO_H
#define _KSHIM_LINUX_ERRNO_H
/*
 * Mapping onto the UAPI header of the same name, plus the numbers that Linux
 * uses inside only.
 */
#include_next <linux/errno.h>

#define ERESTARTSYS	512
#define ERESTARTNOINTR	513
#define ENOTSUPP	524

#endif
