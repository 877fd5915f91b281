// SPDX-License-Identifier: GPL-2.0
/*
 * RCU, by nothing but atomics, in a way that ThreadSanitizer can follow.
 *
 * There is a global epoch that only grows. A reader notes it when it enters its
 * outermost section, and 0 when it leaves. A grace period raises the epoch and
 * waits until each reader has noted 0 or the new epoch. As the epoch does not
 * wrap (64 bits), one pass is enough: a reader that read the old epoch and
 * was slow to note it merely makes later grace periods wait for it, too.
 *
 * Callbacks are pushed to a lock-free list. One worker takes all of them, waits
 * for a grace period, and calls them in the order of their arrival.
 */
#include <limits.h>
#include <pthread.h>
#include <sched.h>

#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/completion.h>
#include <linux/container_of.h>
#include <linux/rcupdate.h>
#include <kshim/thread.h>

#include "rcu_backend.h"
#include "spin.h"

struct reader {
	u64 epoch;		/* when the section began; 0: in no section */
	unsigned int nesting;	/* the thread's own */
	bool registered;	/* the thread's own */
	struct reader *next, **link;	/* readers: lock */
#ifdef KSHIM_TSAN
	unsigned int fence;
#endif
};

static __thread struct reader me __attribute__((tls_model("initial-exec")));

static struct {
	u64 epoch ____cacheline_aligned;
	unsigned int lock ____cacheline_aligned;	/* one grace period at a time */
	struct reader *readers;				/* lock */
} gp = { .epoch = 1 };

static struct {
	struct rcu_head *newest ____cacheline_aligned;
	unsigned int news ____cacheline_aligned;	/* counts; the worker sleeps on it */
	unsigned int hurry;				/* threads in rcu_barrier() */
} callbacks;

static pthread_once_t worker_once = PTHREAD_ONCE_INIT;
static __thread bool is_worker;

/* For a batch to grow, the worker waits that long. */
#define BATCH_USECS	1000

void rcu_read_lock(void)
{
	if (me.nesting++)
		return;
	if (unlikely(!me.registered))
		kshim_rcu_not_registered();

	/*
	 * The barrier pairs with the one in kshim_rcu_synchronize(): either that
	 * sees our epoch, and waits, or we see all that came before it. Without
	 * it we could find an object that it thinks nobody can find any more.
	 */
#ifdef KSHIM_TSAN
	/*
	 * A barrier of our own, by two ordered accesses: smp_mb() would make all
	 * readers look ordered to ThreadSanitizer, and hide races.
	 */
	__atomic_store_n(&me.epoch, smp_load_acquire(&gp.epoch), __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&me.fence, 1, __ATOMIC_SEQ_CST);
#else
	WRITE_ONCE(me.epoch, smp_load_acquire(&gp.epoch));
	smp_mb();
#endif
}

void rcu_read_unlock(void)
{
#ifdef KSHIM_LOCKDEP
	if (!rcu_read_lock_held()) {
		kshim_lockdep_assert_failed("in an RCU read section", "rcu_read_unlock()", 0);
		return;
	}
#endif
	if (--me.nesting)
		return;
	/*
	 * Release: pairs with the acquire in wait_for_reader(). Without it what
	 * we read could be freed before we have read it.
	 */
	smp_store_release(&me.epoch, 0);
}

bool rcu_read_lock_held(void)
{
	return me.nesting;
}

void kshim_rcu_register(void)
{
	kshim_word_lock(&gp.lock);
	me.registered = true;
	me.next = gp.readers;
	me.link = &gp.readers;
	if (me.next)
		me.next->link = &me.next;
	gp.readers = &me;
	kshim_word_unlock(&gp.lock);
}

void kshim_rcu_unregister(void)
{
	kshim_word_lock(&gp.lock);
	*me.link = me.next;
	if (me.next)
		me.next->link = me.link;
	me.registered = false;
	kshim_word_unlock(&gp.lock);
}

static void wait_for_reader(const struct reader *reader, u64 epoch)
{
	static const unsigned int never;
	unsigned int tries = 0;
	u64 noted;

	for (;;) {
		/* Acquire: pairs with the release in rcu_read_unlock(). */
		noted = smp_load_acquire(&reader->epoch);
		if (!noted || noted >= epoch)
			return;
		/* First as if it was about to end, then as if it was not running. */
		if (++tries < KSHIM_SPINS)
			cpu_relax();
		else if (tries < 2 * KSHIM_SPINS)
			sched_yield();
		else
			kshim_futex_wait_timeout(&never, 0, 100);
	}
}

void kshim_rcu_synchronize(void)
{
	const struct reader *reader;
	u64 epoch;

	kshim_word_lock(&gp.lock);
	/* Release: pairs with the acquire of gp.epoch in rcu_read_lock(). */
	epoch = __atomic_add_fetch(&gp.epoch, 1, __ATOMIC_SEQ_CST);
	/* Pairs with the barrier in rcu_read_lock(). */
	smp_mb();
	for (reader = gp.readers; reader; reader = reader->next)
		wait_for_reader(reader, epoch);
	kshim_word_unlock(&gp.lock);
}

static void run_callbacks(struct rcu_head *newest)
{
	struct rcu_head *head, *next, *oldest = NULL;

	for (head = newest; head; head = next) {
		next = head->next;
		head->next = oldest;
		oldest = head;
	}
	for (head = oldest; head; head = next) {
		next = head->next;
		head->func(head);
	}
}

static void *worker_main(void *arg)
{
	struct rcu_head *newest;
	unsigned int news;

	(void)arg;
	is_worker = true;
	kshim_thread_register();
	for (;;) {
		/* Acquire: pairs with the release in kshim_rcu_enqueue(). */
		news = smp_load_acquire(&callbacks.news);
		if (!READ_ONCE(callbacks.newest)) {
			kshim_futex_wait(&callbacks.news, news);
			continue;
		}
		if (!READ_ONCE(callbacks.hurry))
			kshim_futex_wait_timeout(&callbacks.hurry, 0, BATCH_USECS);
		/* Acquire: pairs with the release of the push. */
		newest = __atomic_exchange_n(&callbacks.newest, NULL, __ATOMIC_ACQUIRE);
		kshim_rcu_synchronize();
		run_callbacks(newest);
	}
	return NULL;
}

static void start_worker(void)
{
	pthread_t worker;

	/* It sleeps when there is nothing to do, and ends with the process. */
	if (pthread_create(&worker, NULL, worker_main, NULL))
		kshim_bug(__FILE__, __LINE__, "RCU", "no thread for callbacks");
	pthread_detach(worker);
}

void kshim_rcu_enqueue(struct rcu_head *head, rcu_callback_t func)
{
	struct rcu_head *newest = READ_ONCE(callbacks.newest);

	pthread_once(&worker_once, start_worker);
	head->func = func;
	do {
		head->next = newest;
		/*
		 * Release: pairs with the acquire in worker_main(). Without it the
		 * worker could see the head as it was before.
		 */
	} while (!__atomic_compare_exchange_n(&callbacks.newest, &newest, head, false,
					      __ATOMIC_RELEASE, __ATOMIC_RELAXED));
	if (!newest) {
		/* Release: pairs with the acquire of news in worker_main(). */
		__atomic_fetch_add(&callbacks.news, 1, __ATOMIC_RELEASE);
		kshim_futex_wake(&callbacks.news, 1);
	}
}

struct barrier_callback {
	struct rcu_head head;
	struct completion reached;
};

static void barrier_reached(struct rcu_head *head)
{
	complete(&container_of(head, struct barrier_callback, head)->reached);
}

void kshim_rcu_drain(void)
{
	struct barrier_callback barrier = { };

	init_completion(&barrier.reached);
	__atomic_fetch_add(&callbacks.hurry, 1, __ATOMIC_RELAXED);
	kshim_futex_wake(&callbacks.hurry, 1);
	/* One worker calls all in their order: after this one, the others are done. */
	kshim_rcu_enqueue(&barrier.head, barrier_reached);
	wait_for_completion(&barrier.reached);
	__atomic_fetch_sub(&callbacks.hurry, 1, __ATOMIC_RELAXED);
}

bool kshim_rcu_in_callback(void)
{
	return is_worker;
}
