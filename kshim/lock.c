// SPDX-License-Identifier: GPL-2.0
/*
 * What the locks are made of: futexes, the one-word lock, and the slow paths of
 * <linux/seqlock.h>, <linux/wait_bit.h> and <linux/completion.h>.
 */
#include <limits.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/completion.h>
#include <linux/lockdep.h>
#include <linux/sched.h>
#include <linux/seqlock.h>
#include <linux/wait_bit.h>
#include <kshim/thread.h>

#include "spin.h"

/* From the system call's ABI; its header would drag in the host's <linux/types.h>. */
#define FUTEX_WAIT_PRIVATE	(0 | 128)
#define FUTEX_WAKE_PRIVATE	(1 | 128)

#ifdef KSHIM_TSAN
unsigned int kshim_fence_dummy;
#endif

__thread unsigned int kshim_spin_depth;

void kshim_futex_wait(const unsigned int *word, unsigned int val)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, val, NULL, NULL, 0);
}

void kshim_futex_wait_timeout(const unsigned int *word, unsigned int val, unsigned int usecs)
{
	struct timespec timeout = {
		.tv_sec = usecs / 1000000,
		.tv_nsec = usecs % 1000000 * 1000L,
	};

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, val, &timeout, NULL, 0);
}

void kshim_futex_wake(const unsigned int *word, int nr)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, nr, NULL, NULL, 0);
}

void kshim_word_lock_slow(unsigned int *word)
{
	int i;

	for (i = 0; i < KSHIM_SPINS; i++) {
		if (!READ_ONCE(*word) && kshim_word_trylock(word))
			return;
		cpu_relax();
	}

	/*
	 * From here on this thread does not know whether others sleep as well:
	 * it owns the lock as 2, and its unlock wakes somebody if need be.
	 *
	 * Acquire: pairs with the release in kshim_word_unlock().
	 */
	while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0)
		kshim_futex_wait(word, 2);
}

unsigned int kshim_seqcount_wait(const seqcount_t *s)
{
	unsigned int seq, spins = 0;

	while ((seq = raw_read_seqcount(s)) & 1) {
		/* The writer may not be running: let it. */
		if (++spins % KSHIM_SPINS)
			cpu_relax();
		else
			sched_yield();
	}
	return seq;
}

/* -- one-bit locks -------------------------------------------------------- */

#define NR_BIT_QUEUES	64

/* For all bits that hash to it. */
static struct bit_queue {
	unsigned int waiters;	/* threads that sleep, or are about to */
	unsigned int wakeups;	/* counts; waiters sleep on it */
} ____cacheline_aligned bit_queues[NR_BIT_QUEUES];

static struct bit_queue *bit_queue(const unsigned long *word)
{
	/* Multiplicative hash: words that are locked are far from each other. */
	u64 hash = (u64)(uintptr_t)word * 0x9e3779b97f4a7c15ULL;

	return &bit_queues[hash >> 58];
}

#ifdef KSHIM_LOCKDEP
static struct lockdep_map bit_map = KSHIM_LOCKDEP_MAP_INIT(bit lock, bit_map);

/* User addresses leave room for the number of the bit. */
static const void *bit_id(const unsigned long *word, int bit)
{
	return (const void *)((uintptr_t)word << 6 | bit);
}

void kshim_bit_assert_held(const unsigned long *word, int bit)
{
	kshim_lockdep_assert(kshim_lockdep_is_held(&bit_map, bit_id(word, bit), -1),
			     "bit lock is held");
}
#endif

static bool bit_test_and_set(unsigned long *word, int bit)
{
	unsigned long mask = 1UL << bit;

	if (READ_ONCE(*word) & mask)
		return true;
	/* Acquire: pairs with the clearing in kshim_bit_unlock(). */
	return __atomic_fetch_or(word, mask, __ATOMIC_ACQUIRE) & mask;
}

void kshim_bit_lock_nested(unsigned long *word, int bit, unsigned int subclass)
{
	struct bit_queue *queue;
	unsigned int wakeups;
	int i;

#ifdef KSHIM_LOCKDEP
	kshim_lockdep_acquire(&bit_map, bit_id(word, bit), subclass, 0);
#endif
	(void)subclass;

	for (i = 0; i < KSHIM_SPINS; i++) {
		if (!bit_test_and_set(word, bit))
			return;
		cpu_relax();
	}

	queue = bit_queue(word);
	__atomic_fetch_add(&queue->waiters, 1, __ATOMIC_SEQ_CST);
	/*
	 * Pairs with the barrier in kshim_bit_unlock(): either it sees us, or we
	 * see the bit clear. Without it both could miss each other, and we would
	 * sleep for ever.
	 */
	smp_mb__after_atomic();
	for (;;) {
		/* Acquire: the bit is read after the count that says it changed. */
		wakeups = smp_load_acquire(&queue->wakeups);
		if (!bit_test_and_set(word, bit))
			break;
		kshim_futex_wait(&queue->wakeups, wakeups);
	}
	__atomic_fetch_sub(&queue->waiters, 1, __ATOMIC_RELAXED);
}

bool kshim_bit_trylock(unsigned long *word, int bit)
{
	if (bit_test_and_set(word, bit))
		return false;
#ifdef KSHIM_LOCKDEP
	kshim_lockdep_acquire(&bit_map, bit_id(word, bit), 0, KSHIM_LOCK_TRY);
#endif
	return true;
}

void kshim_bit_unlock(unsigned long *word, int bit)
{
	struct bit_queue *queue = bit_queue(word);

#ifdef KSHIM_LOCKDEP
	kshim_lockdep_release(&bit_map, bit_id(word, bit));
#endif
	/*
	 * Releases: pairs with the acquire in bit_test_and_set(). From here on
	 * the word may be gone.
	 */
	__atomic_fetch_and(word, ~(1UL << bit), __ATOMIC_SEQ_CST);
	/* Pairs with the barrier in kshim_bit_lock_nested(). */
	smp_mb__after_atomic();
	if (unlikely(READ_ONCE(queue->waiters))) {
		/* Release: pairs with the acquire of ->wakeups. */
		__atomic_fetch_add(&queue->wakeups, 1, __ATOMIC_RELEASE);
		/* All of them: one might wait for another bit. */
		kshim_futex_wake(&queue->wakeups, INT_MAX);
	}
}

/* -- completions ---------------------------------------------------------- */

/* ->done after complete_all(). */
#define DONE_FOR_ALL	UINT_MAX

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
	unsigned int done = READ_ONCE(x->done);

	/*
	 * Release: pairs with the acquire in try_wait_for_completion(). Without
	 * it the waiter could miss what it waited for.
	 */
	do {
		if (done == DONE_FOR_ALL)
			return;
	} while (!__atomic_compare_exchange_n(&x->done, &done, done + 1, false,
					      __ATOMIC_RELEASE, __ATOMIC_RELAXED));
	kshim_futex_wake(&x->done, 1);
}

void complete_all(struct completion *x)
{
	/* Release: pairs with the acquire in try_wait_for_completion(). */
	smp_store_release(&x->done, DONE_FOR_ALL);
	kshim_futex_wake(&x->done, INT_MAX);
}

bool try_wait_for_completion(struct completion *x)
{
	/* Acquire: pairs with the releases in complete() and complete_all(). */
	unsigned int done = smp_load_acquire(&x->done);

	while (done) {
		if (done == DONE_FOR_ALL)
			return true;
		if (__atomic_compare_exchange_n(&x->done, &done, done - 1, false,
						__ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE))
			return true;
	}
	return false;
}

void wait_for_completion(struct completion *x)
{
	might_sleep();
	while (!try_wait_for_completion(x))
		kshim_futex_wait(&x->done, 0);
}

bool completion_done(struct completion *x)
{
	return smp_load_acquire(&x->done) != 0;
}
