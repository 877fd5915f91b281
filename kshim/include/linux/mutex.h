/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_MUTEX_H
#define _LINUX_MUTEX_H
/*
 * Different implementation: one word to sleep on (see kshim/thread.h). The thread
 * that locks it unlocks it, and may free it right after.
 */
#include <linux/lockdep.h>
#include <linux/types.h>
#include <kshim/thread.h>

struct mutex {
	unsigned int word;
#ifdef KSHIM_LOCKDEP
	struct lockdep_map dep_map;
#endif
};

#ifdef KSHIM_LOCKDEP
#define __MUTEX_INITIALIZER(name) \
	{ .dep_map = KSHIM_LOCKDEP_MAP_INIT(name, (name).dep_map) }
#else
#define __MUTEX_INITIALIZER(name)	{ .word = 0 }
#endif
#define DEFINE_MUTEX(name)	struct mutex name = __MUTEX_INITIALIZER(name)

static inline void kshim_mutex_init(struct mutex *lock, const char *name,
				    struct lock_class_key *key)
{
	__atomic_store_n(&lock->word, 0, __ATOMIC_RELAXED);
	kshim_lock_init(lock, name, key);
	(void)name;
}

/* Each place that this is written at makes a lock class. */
#define mutex_init(lock)						\
do {									\
	static struct lock_class_key __key;				\
									\
	kshim_mutex_init(lock, #lock, &__key);				\
} while (0)

/* May sleep. @subclass: see spin_lock_nested(). */
static inline void mutex_lock_nested(struct mutex *lock, unsigned int subclass)
{
	kshim_lock_acquire(lock, subclass, 0);
	kshim_word_lock(&lock->word);
}

/* May sleep. */
static inline void mutex_lock(struct mutex *lock)
{
	mutex_lock_nested(lock, 0);
}

/* Does not sleep. Returns 1 when it got the lock, else 0. */
static inline int mutex_trylock(struct mutex *lock)
{
	if (!kshim_word_trylock(&lock->word))
		return 0;
	kshim_lock_acquire(lock, 0, KSHIM_LOCK_TRY);
	return 1;
}

static inline void mutex_unlock(struct mutex *lock)
{
	kshim_lock_release(lock);
	kshim_word_unlock(&lock->word);
}

/* By whomever, and no longer true by the time that the caller looks at it. */
static inline bool mutex_is_locked(const struct mutex *lock)
{
	return __atomic_load_n(kshim_sched_read(&lock->word), __ATOMIC_RELAXED) != 0;
}

#endif
