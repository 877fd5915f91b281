/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_THREAD_H
#define _KSHIM_THREAD_H
/*
 * Different implementation: threads, as pthreads that RCU and the lock validator
 * know. The interface is our own; <linux/kthread.h> is built on it.
 */
#include <linux/types.h>
#include <kshim/sched.h>

struct kshim_thread;

/**
 * kshim_thread_create - start a thread that may use locks and RCU
 * @fn: runs in the thread
 * @arg: handed to @fn
 * @name: for people; copied, and cut to 15 characters
 *
 * The thread is registered with RCU while @fn runs. May sleep. Returns the
 * thread, which must be joined, or NULL when there is no memory or no thread.
 */
struct kshim_thread *kshim_thread_create(void (*fn)(void *arg), void *arg, const char *name);

/**
 * kshim_thread_join - wait for a thread's end and free it
 * @thread: as returned by kshim_thread_create(); invalid afterwards
 *
 * May sleep: no spinlock held, not in an RCU read section. Everything that the
 * thread did happened before this returns.
 */
void kshim_thread_join(struct kshim_thread *thread);

/**
 * kshim_thread_register - make a thread that kshim did not create known to RCU
 *
 * To be called first by main(), and by threads that came from elsewhere. Calls
 * nest: each needs one kshim_thread_unregister() in the same thread. Using RCU
 * in a thread that is not registered is fatal. May sleep.
 */
void kshim_thread_register(void);

/**
 * kshim_thread_unregister - undo one kshim_thread_register()
 *
 * With KSHIM_LOCKDEP, the last one reports locks and RCU read sections that the
 * thread has not left. May sleep.
 */
void kshim_thread_unregister(void);

/*
 * How many spinlocks this thread holds. What would be preempt_count() in the
 * kernel: says, in all builds, that the thread must not sleep.
 */
extern __thread unsigned int kshim_spin_depth
	__attribute__((tls_model("initial-exec")));

/* True with a spinlock held or in an RCU read section: no sleeping. */
bool kshim_in_atomic(void);

/*
 * Futexes. The kernel only compares and queues: a wake-up may be spurious, and
 * kshim_futex_wake() does not access the word, which may be gone already.
 */

/* Sleeps while *@word is @val, until woken. */
void kshim_futex_wait(const unsigned int *word, unsigned int val);
/* As above, for at most @usecs microseconds. */
void kshim_futex_wait_timeout(const unsigned int *word, unsigned int val, unsigned int usecs);
/* Wakes up to @nr of those who sleep on @word. */
void kshim_futex_wake(const unsigned int *word, int nr);

/*
 * A lock in one word: 0 free, 1 locked, 2 locked and maybe waited for. Spinlocks
 * and mutexes are this: with more threads than processors, which is usual here,
 * a waiter has to leave its processor to the owner. Nothing touches the word
 * after it was set to 0, so the next owner may free it.
 */
void kshim_word_lock_slow(unsigned int *word);

static inline bool kshim_word_trylock(unsigned int *word)
{
	unsigned int old = 0;

	/* Acquire: pairs with the release in kshim_word_unlock(). */
	return __atomic_compare_exchange_n(kshim_sched_write(word), &old, 1, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void kshim_word_lock(unsigned int *word)
{
	if (__builtin_expect(!kshim_word_trylock(word), 0))
		kshim_word_lock_slow(word);
}

static inline void kshim_word_unlock(unsigned int *word)
{
	/*
	 * Release: pairs with the acquire of the next owner. Without it what the
	 * lock protects could be seen half changed.
	 */
	if (__builtin_expect(__atomic_exchange_n(kshim_sched_write(word), 0,
						 __ATOMIC_RELEASE) == 2, 0))
		kshim_futex_wake(word, 1);
}

#endif
