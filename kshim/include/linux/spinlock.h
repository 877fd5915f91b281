/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_SPINLOCK_H
#define _LINUX_SPINLOCK_H
/*
 * Different implementation: one word that waiters spin on for a moment and then
 * sleep on (see kshim/thread.h), since the owner may not be running. To the code
 * that uses it, it is a spinlock: no sleeping while it is held, and the thread
 * that locks it unlocks it.
 */
#include <linux/bug.h>
#include <linux/lockdep.h>
#include <linux/types.h>
#include <asm/barrier.h>
#include <kshim/thread.h>

typedef struct spinlock {
	unsigned int word;
#ifdef KSHIM_LOCKDEP
	struct lockdep_map dep_map;
#endif
} spinlock_t;

#ifdef KSHIM_LOCKDEP
#define __SPIN_LOCK_UNLOCKED(name) \
	{ .dep_map = KSHIM_LOCKDEP_MAP_INIT(name, (name).dep_map) }
#else
#define __SPIN_LOCK_UNLOCKED(name)	{ .word = 0 }
#endif
#define DEFINE_SPINLOCK(name)	spinlock_t name = __SPIN_LOCK_UNLOCKED(name)

static inline void kshim_spin_lock_init(spinlock_t *lock, const char *name,
					struct lock_class_key *key)
{
	__atomic_store_n(&lock->word, 0, __ATOMIC_RELAXED);
	kshim_lock_init(lock, name, key);
	(void)name;
}

/* Each place that this is written at makes a lock class. */
#define spin_lock_init(lock)						\
do {									\
	static struct lock_class_key __key;				\
									\
	kshim_spin_lock_init(lock, #lock, &__key);			\
} while (0)

/**
 * spin_lock_nested - lock a lock of a class of which one is held already
 * @lock: the lock
 * @subclass: tells the validator which in the order it is; < 8
 *
 * Does not sleep as far as callers are concerned: any context.
 */
static inline void spin_lock_nested(spinlock_t *lock, int subclass)
{
	kshim_lock_acquire(lock, subclass, KSHIM_LOCK_SPIN);
	kshim_word_lock(&lock->word);
	kshim_spin_depth++;
}

static inline void spin_lock(spinlock_t *lock)
{
	spin_lock_nested(lock, 0);
}

/* Returns non-zero when it got the lock. */
static inline int spin_trylock(spinlock_t *lock)
{
	if (!kshim_word_trylock(&lock->word))
		return 0;
	kshim_spin_depth++;
	kshim_lock_acquire(lock, 0, KSHIM_LOCK_SPIN | KSHIM_LOCK_TRY);
	return 1;
}

static inline void spin_unlock(spinlock_t *lock)
{
	kshim_lock_release(lock);
	kshim_spin_depth--;
	kshim_word_unlock(&lock->word);
}

/* By whomever, and no longer true by the time that the caller looks at it. */
static inline int spin_is_locked(const spinlock_t *lock)
{
	return __atomic_load_n(kshim_sched_read(&lock->word), __ATOMIC_RELAXED) != 0;
}

#define assert_spin_locked(lock)	BUG_ON(!spin_is_locked(lock))

#endif
