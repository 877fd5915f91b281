/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_PRINTK_H
#define _KSHIM_LINUX_PRINTK_H
/*
 * Different implementation: everything goes to stderr, one write per message.
 * Formats are those of libc's printf(); Linux's %p extensions are not there.
 */
#include <linux/compiler.h>

void kshim_printk(const char *level, const char *fmt, ...) __printf(2, 3) __cold;

#ifndef pr_fmt
#define pr_fmt(fmt)	fmt
#endif
#define printk(fmt, ...)	kshim_printk("", fmt, ##__VA_ARGS__)
#define pr_emerg(fmt, ...)	kshim_printk("emerg: ", pr_fmt(fmt), ##__VA_ARGS__)
#define pr_err(fmt, ...)	kshim_printk("error: ", pr_fmt(fmt), ##__VA_ARGS__)
#define pr_warn(fmt, ...)	kshim_printk("warning: ", pr_fmt(fmt), ##__VA_ARGS__)
#define pr_info(fmt, ...)	kshim_printk("", pr_fmt(fmt), ##__VA_ARGS__)
#ifdef DEBUG
#define pr_debug(fmt, ...)	pr_info(fmt, ##__VA_ARGS__)
#else
#define pr_debug(fmt, ...)							\
do {										\
	if (0)									\
		pr_info(fmt, ##__VA_ARGS__);					\
} while (0)
#endif

#endif
