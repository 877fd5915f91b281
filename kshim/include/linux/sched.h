/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_SCHED_H
#define _LINUX_SCHED_H
/*
 * Mapping onto libc: the little of the scheduler that threads ask for. There is
 * no current; a task_struct is what <linux/kthread.h> hands out.
 */
#include <sched.h>
#include <asm/barrier.h>
#include <linux/types.h>
#include <kshim/lockdep.h>
#include <kshim/thread.h>

struct task_struct;

/* With KSHIM_LOCKDEP, reports when the caller must not sleep. */
#ifdef KSHIM_LOCKDEP
#define might_sleep()	kshim_lockdep_might_sleep(__FILE__, __LINE__)
#else
#define might_sleep()	((void)0)
#endif

/*
 * A place where the kernel may switch to another task. The host preempts threads
 * anywhere, so only the check is left: no spinlock, no RCU read section.
 */
#define cond_resched()	({ might_sleep(); 0; })

/* Lets other threads run. There are no task states: it does not wait for a wake-up. */
static inline void schedule(void)
{
	might_sleep();
#ifdef KSHIM_SCHED
	kshim_sched_yield();
#else
	sched_yield();
#endif
}

static inline void yield(void)
{
	schedule();
}

#endif
