/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_BUG_H
#define _KSHIM_LINUX_BUG_H
/*
 * Different implementation: WARN prints to stderr and counts, so that tests can
 * ask whether anything was wrong; BUG prints and aborts.
 */
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/printk.h>
#include <linux/types.h>

void kshim_bug(const char *file, int line, const char *what, const char *fmt, ...)
	__printf(4, 5) __noreturn __cold;
void kshim_warn(const char *file, int line, const char *what, const char *fmt, ...)
	__printf(4, 5) __cold;

/* Warnings since the start, or the last reset. Any context. */
unsigned long kshim_warn_count(void);
void kshim_warn_reset(void);

#define BUG()			kshim_bug(__FILE__, __LINE__, "BUG", " ")
#define BUG_ON(cond)								\
do {										\
	if (unlikely(cond))							\
		kshim_bug(__FILE__, __LINE__, #cond, " ");			\
} while (0)

/* True at the first call from a place, whichever thread makes it. */
#define __kshim_once()								\
({										\
	static bool __once_done;						\
	!READ_ONCE(__once_done) &&						\
		!__atomic_exchange_n(&__once_done, true, __ATOMIC_RELAXED);	\
})

/* All of these give the condition's value. */
#define WARN(cond, fmt, ...)							\
({										\
	bool __warn_cond = !!(cond);						\
	if (unlikely(__warn_cond))						\
		kshim_warn(__FILE__, __LINE__, #cond, " " fmt, ##__VA_ARGS__);	\
	unlikely(__warn_cond);							\
})
#define WARN_ONCE(cond, fmt, ...)						\
({										\
	bool __warn_cond = !!(cond);						\
	if (unlikely(__warn_cond) && __kshim_once())				\
		kshim_warn(__FILE__, __LINE__, #cond, " " fmt, ##__VA_ARGS__);	\
	unlikely(__warn_cond);							\
})
#define WARN_ON(cond)		WARN(cond, "")
#define WARN_ON_ONCE(cond)	WARN_ONCE(cond, "")

#endif
