// SPDX-License-Identifier: GPL-2.0
/*
 * RCU for threads that run one at a time
 *
 * A grace period is over at the moment that the last reader leaves which was in a section
 * when it began; at once if there was none. Callbacks are called right then, by whoever
 * has made it happen, as a part of that step. No real RCU could be earlier, so nothing
 * that it frees too early for somebody escapes.
 *
 * Entering a section and the beginning of a grace period depend on each other; leaving
 * one matters to who sleeps until it ends. (Without a sleeper, to leave later only makes
 * memory live longer.)
 */
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "rcu_backend.h"
#include "sched_state.h"

#define MAX_PENDING	4096

static struct {
	unsigned int nesting[KSHIM_SCHED_THREADS + 1];
	unsigned int readers;			/* a bit for each thread in a section */
	unsigned int waits[KSHIM_SCHED_THREADS + 1];	/* for whom a thread sleeps */
	struct pending {
		struct rcu_head *head;
		unsigned int readers;		/* that were there, and still are */
	} pending[MAX_PENDING];			/* in order of arrival */
	unsigned int nr_pending;
	bool calling;
} rcu;

/* What is accessed, so to say: a word each. */
static const u64 entry, leaving;

void kshim_sched_rcu_reset(void)
{
	rcu.nr_pending = 0;
	rcu.readers = 0;
	rcu.calling = false;
}

/* Takes the first one out whose grace period is over. */
static struct rcu_head *next_callback(void)
{
	struct rcu_head *head;
	unsigned int i;

	for (i = 0; i < rcu.nr_pending; i++)
		if (!rcu.pending[i].readers)
			break;
	if (i == rcu.nr_pending)
		return NULL;
	head = rcu.pending[i].head;
	for (rcu.nr_pending--; i < rcu.nr_pending; i++)
		rcu.pending[i] = rcu.pending[i + 1];
	return head;
}

static void run_callbacks(void)
{
	struct rcu_head *head;

	/* What a callback queues is found by the loop that called it. */
	if (rcu.calling)
		return;
	rcu.calling = true;
	kshim_sched_quiet(true);
	while ((head = next_callback()))
		head->func(head);
	kshim_sched_quiet(false);
	rcu.calling = false;
}

void rcu_read_lock(void)
{
	unsigned int self = kshim_sched_self();

	if (rcu.nesting[self]++)
		return;
	kshim_sched_point(KSHIM_SCHED_READ, &entry);
	rcu.readers |= 1U << self;
}

void rcu_read_unlock(void)
{
	unsigned int self = kshim_sched_self(), i;

	if (!rcu.nesting[self])
		kshim_sched_die("RCU", "rcu_read_unlock() outside a read section");
	if (rcu.nesting[self] == 1)
		kshim_sched_point(KSHIM_SCHED_READ, &leaving);
	if (--rcu.nesting[self])
		return;
	rcu.readers &= ~(1U << self);
	for (i = 0; i < rcu.nr_pending; i++)
		rcu.pending[i].readers &= ~(1U << self);
	for (i = 0; i <= KSHIM_SCHED_THREADS; i++)
		rcu.waits[i] &= ~(1U << self);
	run_callbacks();
}

bool rcu_read_lock_held(void)
{
	return rcu.nesting[kshim_sched_self()];
}

void kshim_rcu_register(void)
{
}

void kshim_rcu_unregister(void)
{
}

static bool readers_have_left(const void *object)
{
	return !*(const unsigned int *)object;
}

void kshim_rcu_synchronize(void)
{
	unsigned int self = kshim_sched_self();

	if (rcu.nesting[self])
		kshim_sched_die("RCU", "synchronize_rcu() in a read section");
	kshim_sched_point(KSHIM_SCHED_UPDATE, &entry);
	kshim_sched_point(KSHIM_SCHED_WRITE, &leaving);
	rcu.waits[self] = rcu.readers;
	kshim_sched_wait(readers_have_left, &rcu.waits[self], KSHIM_SCHED_WRITE, &leaving,
			 "a grace period");
}

void kshim_rcu_enqueue(struct rcu_head *head, rcu_callback_t func)
{
	head->func = func;
	if (rcu.nr_pending == MAX_PENDING)
		kshim_sched_die("RCU", "too many callbacks wait");
	rcu.pending[rcu.nr_pending++] = (struct pending) { head, rcu.readers };
	run_callbacks();
}

void kshim_sched_call_rcu(struct rcu_head *head, rcu_callback_t func)
{
	kshim_sched_point(KSHIM_SCHED_UPDATE, &entry);
	kshim_rcu_enqueue(head, func);
}

void call_rcu(struct rcu_head *head, rcu_callback_t func)
{
	kshim_sched_call_rcu(head, func);
}

/* All that were queued before have been called when the readers of now have left. */
void kshim_rcu_drain(void)
{
	kshim_rcu_synchronize();
}

bool kshim_rcu_in_callback(void)
{
	return rcu.calling;
}
