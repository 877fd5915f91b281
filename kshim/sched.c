// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that run one at a time: <kshim/sched.h>
 *
 * Each is a pthread, so that thread-local variables are what they are elsewhere. One has
 * the turn; the others sleep. Whoever has the turn asks kshim_sched_ops who goes on, and
 * hands the turn over. So everything here is accessed by one thread at a time, and the
 * hand-over orders it: there are no locks.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/errno.h>
#include <linux/rcupdate.h>
#include <kshim/thread.h>

#include "sched_state.h"

/* From the system call's ABI; its header would drag in the host's <linux/types.h>. */
#define FUTEX_WAIT_PRIVATE	(0 | 128)
#define FUTEX_WAKE_PRIVATE	(1 | 128)

#define NOBODY	KSHIM_SCHED_ALONE

enum state {
	IDLE,		/* has nothing to do in this run, or is through */
	READY,
	WAITING,	/* for ready(object) */
};

static struct sched_thread {
	pthread_t pthread;
	unsigned int turn;	/* 1: it is this one's; slept on */
	enum state state;
	void (*fn)(void *arg);
	/* WAITING: */
	bool (*ready)(const void *object);
	const void *object;
	const char *what;
	/*
	 * It has yielded: does not go on before one of those has made a step; if it has
	 * yielded before, and not all others have made one since, not before all have.
	 */
	unsigned int before_me;
	unsigned int not_seen;	/* who has made no step since the first yield */
	bool again;
} threads[KSHIM_SCHED_THREADS + 1];

static const struct kshim_sched_ops *ops;
static unsigned int nr_threads;
static void *run_arg;
static bool running;		/* threads are: points count */
static unsigned int quiet;	/* inside what is to be one step */

static __thread unsigned int self = KSHIM_SCHED_ALONE;

unsigned int kshim_sched_self(void)
{
	return self;
}

/* -- The turn -------------------------------------------------------------------------- */

static void turn_wait(struct sched_thread *me)
{
	/* Acquire: pairs with the release in turn_give(). */
	while (!__atomic_load_n(&me->turn, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &me->turn, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	__atomic_store_n(&me->turn, 0, __ATOMIC_RELAXED);
}

static void turn_give(unsigned int to)
{
	/* Release: all that was done so far is seen by who gets the turn. */
	__atomic_store_n(&threads[to].turn, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &threads[to].turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void hand_over(unsigned int to)
{
	if (to == self)
		return;
	turn_give(to);
	turn_wait(&threads[self]);
}

/* -- Who could go on ------------------------------------------------------------------- */

static bool is_ready(const struct sched_thread *thread)
{
	return thread->state == READY ||
		(thread->state == WAITING && thread->ready(thread->object));
}

static unsigned int ready_threads(void)
{
	unsigned int i, ready = 0;

	for (i = 0; i < nr_threads; i++)
		if (is_ready(&threads[i]))
			ready |= 1U << i;
	return ready;
}

/* Those who yielded are none as long as there are others. */
static unsigned int fair_threads(unsigned int ready)
{
	unsigned int i, polite = 0;

	for (i = 0; i < nr_threads; i++)
		if (ready >> i & 1 && threads[i].before_me & ready)
			polite |= 1U << i;
	return ready & ~polite ? : ready;
}

/* @thread makes a step: nobody has to wait for that any more. */
static void stepped(unsigned int thread)
{
	unsigned int i;

	for (i = 0; i < nr_threads; i++) {
		threads[i].before_me &= threads[i].again ? ~(1U << thread) : 0;
		threads[i].not_seen &= ~(1U << thread);
	}
}

static const char *waits_for(void)
{
	static char text[512];
	size_t len = 0;
	unsigned int i;

	text[0] = '\0';
	for (i = 0; i < nr_threads && len < sizeof(text); i++)
		if (threads[i].state == WAITING)
			len += snprintf(text + len, sizeof(text) - len, "%sthread %u waits for %s",
					len ? ", " : "", i, threads[i].what);
	return text;
}

static void no_way_on(void)
{
	unsigned int i;

	for (i = 0; i < nr_threads; i++)
		if (threads[i].state == WAITING && kshim_sched_is_sleep(threads[i].ready))
			kshim_sched_die("lost wake-up", waits_for());
	kshim_sched_die("deadlock", waits_for());
}

/* This thread cannot go on. */
static void give_up_turn(enum kshim_sched_stop why)
{
	unsigned int ready = ready_threads(), i;

	if (!ready) {
		for (i = 0; i < nr_threads; i++)
			if (threads[i].state != IDLE)
				no_way_on();
		/* All are through. */
		turn_give(NOBODY);
		return;
	}
	i = ops->change(self, why, ready, fair_threads(ready));
	if (why == KSHIM_SCHED_ENDED)
		turn_give(i);
	else
		hand_over(i);
}

/* -- What threads do ------------------------------------------------------------------- */

static void make_access(const struct kshim_sched_access *access)
{
	stepped(self);
	if (!kshim_sched_memory_live(access->addr)) {
		char text[128];

		kshim_sched_describe(access->addr, text, sizeof(text));
		kshim_sched_die("use of freed memory", text);
	}
	ops->access(self, access);
}

void kshim_sched_point(enum kshim_sched_class class, const volatile void *addr)
{
	struct kshim_sched_access access;

	if (!running || quiet || self == KSHIM_SCHED_ALONE)
		return;
	access = (struct kshim_sched_access) { class, addr };
	hand_over(ops->choose(self, &access, ready_threads()));
	make_access(&access);
}

void kshim_sched_wait(bool (*ready)(const void *object), const void *object,
		      enum kshim_sched_class class, const volatile void *addr, const char *what)
{
	struct kshim_sched_access access = { class, addr };
	struct sched_thread *me = &threads[self];

	if (ready(object))
		return;
	if (!running || quiet || self == KSHIM_SCHED_ALONE)
		kshim_sched_die("deadlock", what);
	*me = (struct sched_thread) {
		.pthread = me->pthread, .fn = me->fn, .state = WAITING,
		.ready = ready, .object = object, .what = what,
	};
	/* Whoever is given the turn is ready, and so is this one when it is back. */
	give_up_turn(KSHIM_SCHED_BLOCKED);
	me->state = READY;
	make_access(&access);
}

void kshim_sched_yield(void)
{
	struct sched_thread *me = &threads[self];
	unsigned int others = ((1U << nr_threads) - 1) & ~(1U << self);

	if (!running || quiet || self == KSHIM_SCHED_ALONE)
		return;
	me->again = me->not_seen & ready_threads();
	if (!me->again)
		me->not_seen = others;
	me->before_me = others;
	give_up_turn(KSHIM_SCHED_YIELDED);
	me->before_me = 0;
}

void kshim_sched_freed(const void *addr, size_t size)
{
	if (running)
		ops->freed(self, addr, size);
}

void kshim_sched_quiet(bool on)
{
	quiet += on ? 1 : -1;
}

/* -- Life ------------------------------------------------------------------------------ */

static void *thread_main(void *arg)
{
	struct sched_thread *me = arg;

	self = me - threads;
	kshim_thread_register();
	for (;;) {
		turn_wait(me);
		me->fn(run_arg);
		if (kshim_in_atomic())
			kshim_sched_die("locks", "a thread ends in an RCU read section, or "
					"with a spinlock held");
		me->state = IDLE;
		stepped(self);
		give_up_turn(KSHIM_SCHED_ENDED);
	}
	return NULL;
}

int kshim_sched_start(const struct kshim_sched_ops *new_ops, unsigned int nr)
{
	unsigned int i;

	ops = new_ops;
	for (i = 0; i < nr; i++)
		if (pthread_create(&threads[i].pthread, NULL, thread_main, &threads[i]))
			return -ENOMEM;
	return 0;
}

void kshim_sched_run(void (*const fn[])(void *arg), void *arg, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		threads[i] = (struct sched_thread) {
			.pthread = threads[i].pthread, .fn = fn[i], .state = READY,
		};
	nr_threads = nr;
	run_arg = arg;
	running = true;
	hand_over(ops->change(self, KSHIM_SCHED_BEGIN, (1U << nr) - 1, (1U << nr) - 1));
	running = false;
	nr_threads = 0;
}

void kshim_sched_reset(void)
{
	kshim_sched_rcu_reset();
	kshim_sched_slab_reset();
	kshim_sched_memory_reset();
}

void kshim_sched_die(const char *kind, const char *text)
{
	if (ops)
		ops->failed(kind, text, true);
	fprintf(stderr, "%s: %s\n", kind, text);
	_exit(1);
}

void kshim_sched_warn(const char *kind, const char *text)
{
	if (ops)
		ops->failed(kind, text, false);
	else
		fprintf(stderr, "%s: %s\n", kind, text);
}
