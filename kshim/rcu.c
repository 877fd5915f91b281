// SPDX-License-Identifier: GPL-2.0
/*
 * What both implementations of RCU share: checks, the limit on callbacks, and
 * kfree_rcu().
 */
#include <limits.h>

#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <kshim/thread.h>

#include "rcu_backend.h"

/* Callbacks of scheduled threads are called at once: rcu_sched.c. */
#ifndef KSHIM_SCHED

/*
 * The limit. Callbacks are counted when they are queued. When they have run is
 * learnt from a marker, a callback of our own, of which at most one is queued:
 * callbacks run in the order that they were queued in, so when the marker runs,
 * those that were counted before it was queued have run. (A few may have been
 * counted and not queued yet; the limit need not be exact.)
 */
#define MARK_EVERY	1024

static struct {
	u64 issued ____cacheline_aligned;	/* callbacks queued ... */
	u64 done ____cacheline_aligned;		/* ... and known to have run */
	u64 mark;				/* what @done will be after the marker */
	unsigned int marker_queued;
	unsigned int news;			/* counts changes of @done; slept on */
	struct rcu_head marker;
} backlog;

static u64 backlog_size(void)
{
	return READ_ONCE(backlog.issued) - READ_ONCE(backlog.done);
}

static void marker_reached(struct rcu_head *head);

static void queue_marker(void)
{
	/* Acquire: pairs with the release in marker_reached(): ->mark is ours. */
	if (READ_ONCE(backlog.marker_queued) ||
	    __atomic_exchange_n(&backlog.marker_queued, 1, __ATOMIC_ACQUIRE))
		return;
	WRITE_ONCE(backlog.mark, READ_ONCE(backlog.issued));
	kshim_rcu_enqueue(&backlog.marker, marker_reached);
}

static void marker_reached(struct rcu_head *head)
{
	(void)head;
	WRITE_ONCE(backlog.done, READ_ONCE(backlog.mark));
	/* Release: pairs with the acquire in queue_marker(). */
	smp_store_release(&backlog.marker_queued, 0);
	/*
	 * Release: pairs with the acquire in limit_backlog(). Without it a waiter
	 * could see the news, but not what is new, and sleep on.
	 */
	__atomic_fetch_add(&backlog.news, 1, __ATOMIC_RELEASE);
	kshim_futex_wake(&backlog.news, INT_MAX);
	if (backlog_size() >= MARK_EVERY)
		queue_marker();
}

static void limit_backlog(void)
{
	queue_marker();
	if (backlog_size() <= KSHIM_RCU_BACKLOG || kshim_in_atomic() || kshim_rcu_in_callback())
		return;

	for (;;) {
		/* Acquire: pairs with the release in marker_reached(). */
		unsigned int news = smp_load_acquire(&backlog.news);

		if (backlog_size() <= KSHIM_RCU_BACKLOG)
			return;
		queue_marker();
		kshim_futex_wait(&backlog.news, news);
	}
}

void call_rcu(struct rcu_head *head, rcu_callback_t func)
{
	u64 issued = __atomic_add_fetch(&backlog.issued, 1, __ATOMIC_RELAXED);

	kshim_rcu_enqueue(head, func);
	if (unlikely(issued - READ_ONCE(backlog.done) >= MARK_EVERY))
		limit_backlog();
}

#endif /* KSHIM_SCHED */

void synchronize_rcu(void)
{
	might_sleep();
	kshim_rcu_synchronize();
}

void rcu_barrier(void)
{
	might_sleep();
	kshim_rcu_drain();
}

void kshim_rcu_not_registered(void)
{
	kshim_bug(__FILE__, __LINE__, "RCU",
		  "used in a thread without kshim_thread_register()");
}

/*
 * kfree_rcu(). A callback is given its head only, so there is one function for
 * each place in an object that a head can be at, 512 of them.
 */
#define STEP	sizeof(void *)

#define FREE_FN(n)							\
static void free_##n(struct rcu_head *head)				\
{									\
	kfree((char *)head - 0##n * STEP);				\
}

#define FN_NAME(n)	free_##n,

/* Calls @m with all octal numbers that begin with @n. */
#define OCT1(m, n)	m(n##0) m(n##1) m(n##2) m(n##3) m(n##4) m(n##5) m(n##6) m(n##7)
#define OCT2(m, n)	OCT1(m, n##0) OCT1(m, n##1) OCT1(m, n##2) OCT1(m, n##3) \
			OCT1(m, n##4) OCT1(m, n##5) OCT1(m, n##6) OCT1(m, n##7)
#define OCT3(m)		OCT2(m, 0) OCT2(m, 1) OCT2(m, 2) OCT2(m, 3) \
			OCT2(m, 4) OCT2(m, 5) OCT2(m, 6) OCT2(m, 7)

OCT3(FREE_FN)

static const rcu_callback_t free_fns[] = { OCT3(FN_NAME) };

rcu_callback_t kshim_kfree_rcu_func(size_t offset)
{
	BUILD_BUG_ON(sizeof(free_fns) / sizeof(free_fns[0]) * STEP != KSHIM_KFREE_RCU_MAX);

	return free_fns[offset / STEP];
}
