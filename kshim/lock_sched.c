// SPDX-License-Identifier: GPL-2.0
/*
 * lock.c for threads that run one at a time: nobody spins, and a lock that was waited for
 * is free when the waiter goes on. What waits for a wake-up needs one.
 */
#include <limits.h>

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/completion.h>
#include <linux/seqlock.h>
#include <linux/wait_bit.h>
#include <kshim/thread.h>

#include "sched_state.h"

#ifdef KSHIM_TSAN
unsigned int kshim_fence_dummy;
#endif

__thread unsigned int kshim_spin_depth;

/* -- Futexes --------------------------------------------------------------------------- */

static struct sleeper {
	const unsigned int *word;	/* NULL: not asleep */
	unsigned long since;		/* first come, first woken */
} sleepers[KSHIM_SCHED_THREADS + 1];

static unsigned long nr_sleeps;

/* Sleeping and waking access this and not the word, which may be gone at the wake-up. */
static const void *queue_of(const unsigned int *word)
{
	return (const void *)((uintptr_t)word | 1UL << 62);
}

static bool is_awake(const void *object)
{
	const struct sleeper *sleeper = object;

	return !sleeper->word;
}

bool kshim_sched_is_sleep(bool (*ready)(const void *object))
{
	return ready == is_awake;
}

void kshim_futex_wait(const unsigned int *word, unsigned int val)
{
	struct sleeper *me = &sleepers[kshim_sched_self()];

	kshim_sched_point(KSHIM_SCHED_READ, word);
	kshim_sched_point(KSHIM_SCHED_WRITE, queue_of(word));
	if (*word != val)
		return;
	*me = (struct sleeper) { .word = word, .since = ++nr_sleeps };
	kshim_sched_wait(is_awake, me, KSHIM_SCHED_WRITE, queue_of(word), "a wake-up");
}

/* Time does not pass here: whoever would sleep for a while lets others go first. */
void kshim_futex_wait_timeout(const unsigned int *word, unsigned int val, unsigned int usecs)
{
	(void)usecs;
	kshim_sched_point(KSHIM_SCHED_READ, word);
	if (*word == val)
		kshim_sched_yield();
}

void kshim_futex_wake(const unsigned int *word, int nr)
{
	struct sleeper *first;
	unsigned int i;

	kshim_sched_point(KSHIM_SCHED_WRITE, queue_of(word));
	while (nr-- > 0) {
		first = NULL;
		for (i = 0; i <= KSHIM_SCHED_THREADS; i++)
			if (sleepers[i].word == word && (!first || sleepers[i].since < first->since))
				first = &sleepers[i];
		if (!first)
			return;
		first->word = NULL;
	}
}

/* -- Locks ----------------------------------------------------------------------------- */

static bool word_is_free(const void *object)
{
	return !*(const unsigned int *)object;
}

void kshim_word_lock_slow(unsigned int *word)
{
	kshim_sched_wait(word_is_free, word, KSHIM_SCHED_WRITE, word, "a spinlock or mutex");
	*word = 1;
}

static bool count_is_even(const void *object)
{
	const seqcount_t *s = object;

	return !(s->sequence & 1);
}

unsigned int kshim_seqcount_wait(const seqcount_t *s)
{
	kshim_sched_wait(count_is_even, s, KSHIM_SCHED_READ, &s->sequence, "a sequence count");
	return s->sequence;
}

struct bit_lock {
	const unsigned long *word;
	int bit;
};

static bool bit_is_clear(const void *object)
{
	const struct bit_lock *lock = object;

	return !(*lock->word >> lock->bit & 1);
}

void kshim_bit_lock_nested(unsigned long *word, int bit, unsigned int subclass)
{
	const struct bit_lock lock = { word, bit };

	(void)subclass;
	kshim_sched_point(KSHIM_SCHED_WRITE, word);
	kshim_sched_wait(bit_is_clear, &lock, KSHIM_SCHED_WRITE, word, "a bit lock");
	*word |= 1UL << bit;
}

bool kshim_bit_trylock(unsigned long *word, int bit)
{
	const struct bit_lock lock = { word, bit };

	kshim_sched_point(KSHIM_SCHED_WRITE, word);
	if (!bit_is_clear(&lock))
		return false;
	*word |= 1UL << bit;
	return true;
}

void kshim_bit_unlock(unsigned long *word, int bit)
{
	kshim_sched_point(KSHIM_SCHED_WRITE, word);
	*word &= ~(1UL << bit);
}

/* -- Completions ----------------------------------------------------------------------- */

void init_completion(struct completion *x)
{
	WRITE_ONCE(x->done, 0);
}

void reinit_completion(struct completion *x)
{
	WRITE_ONCE(x->done, 0);
}

void complete(struct completion *x)
{
	kshim_sched_point(KSHIM_SCHED_WRITE, &x->done);
	if (x->done != UINT_MAX)
		x->done++;
}

void complete_all(struct completion *x)
{
	WRITE_ONCE(x->done, UINT_MAX);
}

static bool is_done(const void *object)
{
	return ((const struct completion *)object)->done;
}

bool try_wait_for_completion(struct completion *x)
{
	kshim_sched_point(KSHIM_SCHED_WRITE, &x->done);
	if (!x->done)
		return false;
	if (x->done != UINT_MAX)
		x->done--;
	return true;
}

void wait_for_completion(struct completion *x)
{
	kshim_sched_point(KSHIM_SCHED_WRITE, &x->done);
	kshim_sched_wait(is_done, x, KSHIM_SCHED_WRITE, &x->done, "a completion");
	if (x->done != UINT_MAX)
		x->done--;
}

bool completion_done(struct completion *x)
{
	return READ_ONCE(x->done) != 0;
}
