/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_KTHREAD_H
#define _LINUX_KTHREAD_H
/*
 * Different implementation: kernel threads, on <kshim/thread.h>.
 *
 * Threads have no sleep of their own that kthread_stop() could end, so a thread
 * function polls kthread_should_stop().
 */
#include <linux/compiler.h>
#include <linux/err.h>
#include <linux/types.h>

struct task_struct;

/**
 * kthread_run - start a thread
 * @threadfn: runs in it; returns when kthread_should_stop(), or earlier
 * @data: handed to @threadfn
 * @namefmt: printf format of its name
 *
 * May sleep. Returns the thread, which must be stopped by kthread_stop(), or
 * ERR_PTR(-ENOMEM).
 */
struct task_struct *kthread_run(int (*threadfn)(void *data), void *data,
				const char *namefmt, ...) __printf(3, 4);

/**
 * kthread_stop - ask a thread to end, and wait until it did
 * @k: as returned by kthread_run(); invalid afterwards
 *
 * May sleep. Returns what the thread function returned.
 */
int kthread_stop(struct task_struct *k);

/* In a thread of kthread_run(): was kthread_stop() called? Elsewhere: false. */
bool kthread_should_stop(void);

#endif
