// SPDX-License-Identifier: GPL-2.0
/*
 * Warnings, fatal errors, and messages
 *
 * Each message is formatted first and written with one call, so that those of
 * several threads do not mix.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/bug.h>
#include <kshim/sched.h>

static unsigned long warnings;

/* Callers put a blank before what they have to say, and the blank alone for nothing. */
static void report(const char *kind, const char *file, int line, const char *what,
		   const char *fmt, va_list args)
{
	char text[256];

	vsnprintf(text, sizeof(text), fmt, args);
#ifdef KSHIM_SCHED
	char whole[512];

	snprintf(whole, sizeof(whole), "%s:%d: %s%s%s", file, line, what, text[1] ? ":" : "",
		 text[1] ? text : "");
	if (!strcmp(kind, "BUG"))
		kshim_sched_die(kind, whole);
	kshim_sched_warn(kind, whole);
#else
	fprintf(stderr, "%s: %s:%d: %s%s%s\n", kind, file, line, what, text[1] ? ":" : "",
		text[1] ? text : "");
#endif
}

/**
 * kshim_bug - print what is wrong, and abort
 * @file: where
 * @line: where
 * @what: the condition
 * @fmt: what else there is to say, beginning with a blank; " " for nothing
 */
void kshim_bug(const char *file, int line, const char *what, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report("BUG", file, line, what, fmt, args);
	va_end(args);
	fflush(NULL);
	abort();
}

/**
 * kshim_warn - print what is wrong, and count it
 *
 * Arguments as for kshim_bug(). Any context.
 */
void kshim_warn(const char *file, int line, const char *what, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report("WARNING", file, line, what, fmt, args);
	va_end(args);
	__atomic_fetch_add(&warnings, 1, __ATOMIC_RELAXED);
}

unsigned long kshim_warn_count(void)
{
	return __atomic_load_n(&warnings, __ATOMIC_RELAXED);
}

void kshim_warn_reset(void)
{
	__atomic_store_n(&warnings, 0, __ATOMIC_RELAXED);
}

/**
 * kshim_printk - behind printk() and pr_*()
 * @level: put before the message
 * @fmt: of printf()
 */
void kshim_printk(const char *level, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(stderr, "%s%s", level, text);
}
