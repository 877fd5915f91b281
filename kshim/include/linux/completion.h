/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_COMPLETION_H
#define _LINUX_COMPLETION_H
/*
 * Different implementation: completions, as a futex that counts. complete() does
 * not touch the object after the waiter could return, so it may be on the
 * waiter's stack.
 */
#include <linux/types.h>

struct completion {
	unsigned int done;	/* waiters who may pass */
};

#define COMPLETION_INITIALIZER(name)	{ .done = 0 }
#define DECLARE_COMPLETION(name)	struct completion name = COMPLETION_INITIALIZER(name)
#define DECLARE_COMPLETION_ONSTACK(name) DECLARE_COMPLETION(name)

void init_completion(struct completion *x);
/* Before it is used again after complete_all(). */
void reinit_completion(struct completion *x);
/* Lets one waiter pass, now or later. Does not sleep. */
void complete(struct completion *x);
/* Lets all waiters pass, now and later. Does not sleep. */
void complete_all(struct completion *x);
/* Waits for complete(). May sleep. */
void wait_for_completion(struct completion *x);
/* Returns whether wait_for_completion() would not have waited; then it is done. */
bool try_wait_for_completion(struct completion *x);
/* Would a waiter pass? A snapshot. */
bool completion_done(struct completion *x);

#endif
