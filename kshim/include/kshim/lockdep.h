/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LOCKDEP_H
#define _KSHIM_LOCKDEP_H
/*
 * Different implementation: a small lock-order validator, built in with
 * KSHIM_LOCKDEP. The names that Linux has are in <linux/lockdep.h>.
 *
 * Locks belong to classes: all locks that one line of code initialises, or that
 * lockdep_set_class() gave the same key, times a subclass for nesting. Each
 * thread has a stack of what it holds, and there is one directed graph for all:
 * A -> B when B was ever waited for with A held. A report is due when a lock
 * would close a cycle in it, even if no deadlock happens this time, and for:
 *
 *  - a lock of a class that the thread holds already, including a second read
 *    lock of an rw_semaphore (it deadlocks when a writer queues in between);
 *  - release of a lock that is not held;
 *  - what may sleep under a spinlock or in an RCU read section;
 *  - a thread that ends with a lock held or in a read section;
 *  - a lock that was never initialised;
 *  - a lockdep_assert_*() or rcu_dereference_protected() that fails.
 *
 * Trylocks cannot deadlock, so they add no dependencies; but what is waited for
 * while they are held does depend on them. Readers count as writers, as is right
 * for locks whose queued writers block readers.
 */
#include <linux/types.h>

#ifdef KSHIM_LOCKDEP

#define KSHIM_LOCK_SUBCLASSES	8

/* Identifies a class; always static. Its content is the validator's. */
struct lock_class_key {
	unsigned short ids[KSHIM_LOCK_SUBCLASSES];	/* by subclass; 0: not seen yet */
};

/* What each lock carries. */
struct lockdep_map {
	struct lock_class_key *key;
	const char *name;
	unsigned int subclass;		/* added to that of the acquisition */
	struct lock_class_key own;	/* the key of a lock that is initialised statically */
};

#define KSHIM_LOCKDEP_MAP_INIT(lockname, map)	{ .key = &(map).own, .name = #lockname }

enum kshim_lock_flags {
	KSHIM_LOCK_READ = 1,	/* shared */
	KSHIM_LOCK_TRY = 2,	/* did not wait, and is taken already */
	KSHIM_LOCK_SPIN = 4,	/* no sleeping while it is held */
};

void kshim_lockdep_init_map(struct lockdep_map *map, const char *name,
			    struct lock_class_key *key);

/*
 * To be called before a lock is waited for, and after a trylock succeeded. @id
 * tells locks apart where one map stands for many; else it is the map. With
 * neither KSHIM_LOCK_SPIN nor _TRY, also checks that sleeping is allowed.
 */
void kshim_lockdep_acquire(struct lockdep_map *map, const void *id, unsigned int subclass,
			   unsigned int flags);
/* To be called before the lock is released. */
void kshim_lockdep_release(struct lockdep_map *map, const void *id);
/* The lock stays held, but from now on for reading. */
void kshim_lockdep_downgrade(struct lockdep_map *map);

/* Does this thread hold it? @read: -1 in any way, 0 for writing, 1 for reading. */
bool kshim_lockdep_is_held(const struct lockdep_map *map, const void *id, int read);
/* How many locks this thread holds. */
unsigned int kshim_lockdep_depth(void);
/* Reports, as a failed lockdep_assert() does. */
void kshim_lockdep_assert_failed(const char *what, const char *file, int line);
/* Reports if this thread must not sleep. */
void kshim_lockdep_might_sleep(const char *file, int line);
/* Reports if this thread may not end. Then forgets what it held. */
void kshim_lockdep_thread_exit(void);

/**
 * kshim_lockdep_set_fatal - choose what a report does
 * @fatal: abort (the default); or else only print and count
 */
void kshim_lockdep_set_fatal(bool fatal);
/* Reports so far, by all threads. */
unsigned long kshim_lockdep_reports(void);

#else

/* Takes no space, so that locks need no #ifdef. */
struct lock_class_key { };

#endif

#endif
