// SPDX-License-Identifier: GPL-2.0
/*
 * rwsem.c for threads that run one at a time
 *
 * The rules are those of <linux/rwsem.h>: a queued writer blocks readers that come later,
 * readers that came earlier enter together. Writers may overtake each other, which is more
 * than the real lock does.
 */
#include <linux/compiler.h>
#include <linux/rwsem.h>

#include "sched_state.h"

/* On the waiter's stack. WAITERS is set while there is a writer in the queue. */
struct kshim_rwsem_waiter {
	struct kshim_rwsem_waiter *next;
	const struct rw_semaphore *sem;
	bool write;
};

void kshim_rwsem_init(struct rw_semaphore *sem, const char *name, struct lock_class_key *key)
{
	WRITE_ONCE(sem->count, 0);
	sem->wait_lock = 0;
	sem->head = NULL;
	sem->tail = NULL;
	kshim_lock_init(sem, name, key);
	(void)name;
}

static bool may_enter(const void *object)
{
	const struct kshim_rwsem_waiter *me = object, *other;

	if (me->write)
		return !(me->sem->count & (KSHIM_RWSEM_WRITER | KSHIM_RWSEM_READERS));
	if (me->sem->count & KSHIM_RWSEM_WRITER)
		return false;
	for (other = me->sem->head; other != me; other = other->next)
		if (other->write)
			return false;
	return true;
}

static void update_waiters(struct rw_semaphore *sem)
{
	const struct kshim_rwsem_waiter *waiter;

	sem->count &= ~KSHIM_RWSEM_WAITERS;
	for (waiter = sem->head; waiter; waiter = waiter->next)
		if (waiter->write)
			sem->count |= KSHIM_RWSEM_WAITERS;
}

static void wait(struct rw_semaphore *sem, bool write, enum kshim_sched_class class)
{
	struct kshim_rwsem_waiter me = { .sem = sem, .write = write }, **link;

	for (link = &sem->head; *link; link = &(*link)->next)
		;
	*link = &me;
	update_waiters(sem);
	kshim_sched_wait(may_enter, &me, class, &sem->count, write ?
			 "an rw_semaphore, to write" : "an rw_semaphore, to read");
	for (link = &sem->head; *link != &me; link = &(*link)->next)
		;
	*link = me.next;
	update_waiters(sem);
}

void kshim_rwsem_read_slow(struct rw_semaphore *sem)
{
	wait(sem, false, KSHIM_SCHED_UPDATE);
	sem->count += KSHIM_RWSEM_READER;
}

void kshim_rwsem_write_slow(struct rw_semaphore *sem)
{
	wait(sem, true, KSHIM_SCHED_WRITE);
	sem->count |= KSHIM_RWSEM_WRITER;
}

void kshim_rwsem_read_release_slow(struct rw_semaphore *sem)
{
	sem->count -= KSHIM_RWSEM_READER;
}

void kshim_rwsem_write_release_slow(struct rw_semaphore *sem)
{
	sem->count -= KSHIM_RWSEM_WRITER;
}

void kshim_rwsem_downgrade_slow(struct rw_semaphore *sem)
{
	sem->count += KSHIM_RWSEM_READER - KSHIM_RWSEM_WRITER;
}
