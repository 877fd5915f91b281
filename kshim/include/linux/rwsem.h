/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_RWSEM_H
#define _LINUX_RWSEM_H
/*
 * Different implementation: a sleeping reader-writer lock with the behaviour of
 * Linux's where it shows:
 *
 *  - A queued writer blocks new readers, so read-locking twice in one thread can
 *    deadlock; and no stream of readers can starve a writer.
 *  - When a reader gets to the head of the queue, all queued readers enter
 *    together, and those who come later queue behind the writers: no stream of
 *    writers can starve a reader.
 *  - A writer that is about to queue may take a free lock before the writer at
 *    the head, who is just being woken, but only a few times: then the head is
 *    given the lock.
 *  - Nothing touches the lock after its release: the next owner may free it.
 *
 * The slow paths are in kshim/rwsem.c.
 */
#include <linux/lockdep.h>
#include <linux/types.h>
#include <kshim/thread.h>

struct kshim_rwsem_waiter;

struct rw_semaphore {
	/*
	 * KSHIM_RWSEM_* bits, and KSHIM_RWSEM_READER times the readers. Taking
	 * and releasing the lock are atomic changes of this word; WAITERS changes
	 * under @wait_lock only.
	 */
	unsigned int count;
	unsigned int wait_lock;		/* kshim_word_lock() */
	struct kshim_rwsem_waiter *head, *tail;	/* the queue: wait_lock */
#ifdef KSHIM_LOCKDEP
	struct lockdep_map dep_map;
#endif
};

#define KSHIM_RWSEM_WRITER	1U	/* locked for writing */
#define KSHIM_RWSEM_WAITERS	2U	/* the queue is not empty */
#define KSHIM_RWSEM_READER	4U
#define KSHIM_RWSEM_READERS	(~(KSHIM_RWSEM_READER - 1))

#ifdef KSHIM_LOCKDEP
#define __RWSEM_INITIALIZER(name) \
	{ .dep_map = KSHIM_LOCKDEP_MAP_INIT(name, (name).dep_map) }
#else
#define __RWSEM_INITIALIZER(name)	{ .count = 0 }
#endif
#define DECLARE_RWSEM(name)	struct rw_semaphore name = __RWSEM_INITIALIZER(name)

void kshim_rwsem_init(struct rw_semaphore *sem, const char *name, struct lock_class_key *key);
void kshim_rwsem_read_slow(struct rw_semaphore *sem);
void kshim_rwsem_write_slow(struct rw_semaphore *sem);
void kshim_rwsem_read_release_slow(struct rw_semaphore *sem);
void kshim_rwsem_write_release_slow(struct rw_semaphore *sem);
void kshim_rwsem_downgrade_slow(struct rw_semaphore *sem);

/* Each place that this is written at makes a lock class. */
#define init_rwsem(sem)							\
do {									\
	static struct lock_class_key __key;				\
									\
	kshim_rwsem_init(sem, #sem, &__key);				\
} while (0)

static inline bool kshim_rwsem_try_read(struct rw_semaphore *sem)
{
	unsigned int c = __atomic_load_n(kshim_sched_update(&sem->count), __ATOMIC_RELAXED);

	/*
	 * Acquire: pairs with the release of the last writer. Without it the
	 * reader could see what the writer changed half done.
	 */
	while (!(c & (KSHIM_RWSEM_WRITER | KSHIM_RWSEM_WAITERS)))
		if (__atomic_compare_exchange_n(&sem->count, &c, c + KSHIM_RWSEM_READER, false,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	return false;
}

static inline bool kshim_rwsem_try_write(struct rw_semaphore *sem)
{
	unsigned int c = 0;

	/*
	 * Acquire: pairs with the release of readers and writers before. Without
	 * it a reader could see what the new writer changes.
	 */
	return __atomic_compare_exchange_n(kshim_sched_write(&sem->count), &c,
					   KSHIM_RWSEM_WRITER, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

/**
 * down_read_nested - lock for reading
 * @sem: the lock; not held by this thread, not even for reading
 * @subclass: see spin_lock_nested()
 *
 * May sleep. In the thread that locked it, up_read() unlocks it.
 */
static inline void down_read_nested(struct rw_semaphore *sem, int subclass)
{
	kshim_lock_acquire(sem, subclass, KSHIM_LOCK_READ);
	if (unlikely(!kshim_rwsem_try_read(sem)))
		kshim_rwsem_read_slow(sem);
}

/* May sleep. */
static inline void down_read(struct rw_semaphore *sem)
{
	down_read_nested(sem, 0);
}

/* Does not sleep; fails while a writer waits, too. Returns 1 when locked, else 0. */
static inline int down_read_trylock(struct rw_semaphore *sem)
{
	if (!kshim_rwsem_try_read(sem))
		return 0;
	kshim_lock_acquire(sem, 0, KSHIM_LOCK_READ | KSHIM_LOCK_TRY);
	return 1;
}

/* Does not sleep. */
static inline void up_read(struct rw_semaphore *sem)
{
	unsigned int c = __atomic_load_n(kshim_sched_update(&sem->count), __ATOMIC_RELAXED);

	kshim_lock_release(sem);
	do {
		/* The last reader has somebody to wake, before it lets go. */
		if (unlikely((c & KSHIM_RWSEM_WAITERS) && c < 2 * KSHIM_RWSEM_READER)) {
			kshim_rwsem_read_release_slow(sem);
			return;
		}
		/* Release: pairs with the acquire of the next writer. */
	} while (!__atomic_compare_exchange_n(&sem->count, &c, c - KSHIM_RWSEM_READER, false,
					      __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

/* As down_read_nested(), for writing; up_write() unlocks it. */
static inline void down_write_nested(struct rw_semaphore *sem, int subclass)
{
	kshim_lock_acquire(sem, subclass, 0);
	if (unlikely(!kshim_rwsem_try_write(sem)))
		kshim_rwsem_write_slow(sem);
}

/* May sleep. */
static inline void down_write(struct rw_semaphore *sem)
{
	down_write_nested(sem, 0);
}

/* Does not sleep. Returns 1 when locked, else 0. */
static inline int down_write_trylock(struct rw_semaphore *sem)
{
	if (!kshim_rwsem_try_write(sem))
		return 0;
	kshim_lock_acquire(sem, 0, KSHIM_LOCK_TRY);
	return 1;
}

/* Does not sleep. */
static inline void up_write(struct rw_semaphore *sem)
{
	unsigned int c = KSHIM_RWSEM_WRITER;

	kshim_lock_release(sem);
	/* Release: pairs with the acquire of the next owner. */
	if (unlikely(!__atomic_compare_exchange_n(kshim_sched_write(&sem->count), &c, 0,
						  false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)))
		kshim_rwsem_write_release_slow(sem);
}

/**
 * downgrade_write - turn a write lock into a read lock
 * @sem: locked for writing by this thread
 *
 * Nobody can write in between; queued readers enter. Does not sleep.
 */
static inline void downgrade_write(struct rw_semaphore *sem)
{
	unsigned int c = KSHIM_RWSEM_WRITER;

#ifdef KSHIM_LOCKDEP
	kshim_lockdep_downgrade(&sem->dep_map);
#endif
	/* Release: pairs with the acquire of the readers that this lets in. */
	if (unlikely(!__atomic_compare_exchange_n(kshim_sched_write(&sem->count), &c,
						  KSHIM_RWSEM_READER, false, __ATOMIC_RELEASE,
						  __ATOMIC_RELAXED)))
		kshim_rwsem_downgrade_slow(sem);
}

/* By whomever, and no longer true by the time that the caller looks at it. */
static inline int rwsem_is_locked(struct rw_semaphore *sem)
{
	return __atomic_load_n(kshim_sched_read(&sem->count), __ATOMIC_RELAXED) != 0;
}

/* Does anybody wait for it? A snapshot. */
static inline int rwsem_is_contended(struct rw_semaphore *sem)
{
	return (__atomic_load_n(kshim_sched_read(&sem->count), __ATOMIC_RELAXED) &
		KSHIM_RWSEM_WAITERS) != 0;
}

#endif
