// SPDX-License-Identifier: GPL-2.0
/*
 * The slow paths of <linux/rwsem.h>: the queue.
 *
 * Who holds the lock is in ->count alone. WAITERS is set exactly while the queue
 * is not empty. With it set, nobody gets the lock by the fast paths, and whoever
 * frees it does so under ->wait_lock and looks after the queue before. So:
 *
 *  - readers at the head wait for a writer only, and get the lock from it, all
 *    queued readers at once, in the step that releases it;
 *  - a writer at the head is told to try again when the lock is free, which keeps
 *    the lock busy while it wakes up. Other writers may be faster MAX_OVERTAKEN
 *    times; then it gets the lock from its owner, as readers do;
 *  - a waiter is told that it has the lock (GRANTED) after ->wait_lock was
 *    dropped, so that it may free the lock at once.
 */
#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/rwsem.h>

#include "spin.h"

/* A waiter's state; it sleeps on it. */
enum {
	WAITING,
	RETRY,		/* writer at the head: the lock was free a moment ago */
	GRANTED,	/* has the lock, and is out of the queue */
};

/* Each time costs the queue one hold of the lock, and saves a wait for a wake-up. */
#define MAX_OVERTAKEN	16

/* On the waiter's stack. */
struct kshim_rwsem_waiter {
	struct kshim_rwsem_waiter *next;
	unsigned int state;
	unsigned int overtaken;	/* writer at the head: how often it was to try again */
	bool write;
};

#define HELD	(KSHIM_RWSEM_WRITER | KSHIM_RWSEM_READERS)

void kshim_rwsem_init(struct rw_semaphore *sem, const char *name, struct lock_class_key *key)
{
	WRITE_ONCE(sem->count, 0);
	WRITE_ONCE(sem->wait_lock, 0);
	sem->head = NULL;
	sem->tail = NULL;
	kshim_lock_init(sem, name, key);
	(void)name;
}

static void append(struct rw_semaphore *sem, struct kshim_rwsem_waiter *waiter)
{
	waiter->next = NULL;
	waiter->state = WAITING;
	if (sem->head)
		sem->tail->next = waiter;
	else
		sem->head = waiter;
	sem->tail = waiter;
}

static struct kshim_rwsem_waiter *take_head(struct rw_semaphore *sem)
{
	struct kshim_rwsem_waiter *waiter = sem->head;

	sem->head = waiter->next;
	waiter->next = NULL;
	return waiter;
}

/* Takes all readers off the queue. Returns how many; they are in *@readers. */
static unsigned int take_readers(struct rw_semaphore *sem, struct kshim_rwsem_waiter **readers)
{
	struct kshim_rwsem_waiter *waiter, **link = &sem->head;
	unsigned int nr = 0;

	sem->tail = NULL;
	while ((waiter = *link)) {
		if (waiter->write) {
			sem->tail = waiter;
			link = &waiter->next;
			continue;
		}
		*link = waiter->next;
		waiter->next = NULL;
		*readers = waiter;
		readers = &waiter->next;
		nr++;
	}
	return nr;
}

/* To be taken off ->count with the last waiter: WAITERS. */
static unsigned int no_waiters(struct rw_semaphore *sem)
{
	return sem->head ? 0 : KSHIM_RWSEM_WAITERS;
}

/* What to do once ->wait_lock is dropped. */
struct wakeups {
	struct kshim_rwsem_waiter *granted;
	unsigned int *retry;
};

static void unlock_and_wake(struct rw_semaphore *sem, struct wakeups *wake)
{
	struct kshim_rwsem_waiter *waiter, *next;

	kshim_word_unlock(&sem->wait_lock);

	for (waiter = wake->granted; waiter; waiter = next) {
		unsigned int *state = &waiter->state;

		/* The waiter's stack frame ends as soon as it sees GRANTED. */
		next = waiter->next;
		/*
		 * Release: pairs with the acquire in sleep_on(). Without it the new
		 * owner could miss what the old one did.
		 */
		smp_store_release(state, GRANTED);
		kshim_futex_wake(state, 1);
	}
	if (wake->retry)
		kshim_futex_wake(wake->retry, 1);
}

/*
 * The lock is about to be free, or free: the writer at the head is next. Returns
 * what to add to ->count if it has been given the lock, else 0.
 */
static unsigned int next_writer(struct rw_semaphore *sem, struct wakeups *wake)
{
	struct kshim_rwsem_waiter *head = sem->head;

	if (head->overtaken++ >= MAX_OVERTAKEN) {
		wake->granted = take_head(sem);
		return KSHIM_RWSEM_WRITER - no_waiters(sem);
	}
	if (READ_ONCE(head->state) == WAITING) {
		/* It sleeps until it reads this; wait_lock orders the rest. */
		WRITE_ONCE(head->state, RETRY);
		wake->retry = &head->state;
	}
	return 0;
}

/* Sleeps while the state is @old. Returns the new one. */
static unsigned int sleep_on(struct kshim_rwsem_waiter *me, unsigned int old)
{
	unsigned int state;

	/* Acquire: pairs with the release in unlock_and_wake(). */
	while ((state = smp_load_acquire(&me->state)) == old)
		kshim_futex_wait(&me->state, old);
	return state;
}

void kshim_rwsem_read_slow(struct rw_semaphore *sem)
{
	struct kshim_rwsem_waiter me = { .write = false };
	unsigned int c;
	int i;

	for (i = 0; i < KSHIM_SPINS; i++) {
		if (READ_ONCE(sem->count) & KSHIM_RWSEM_WAITERS)
			break;
		if (kshim_rwsem_try_read(sem))
			return;
		cpu_relax();
	}

	kshim_word_lock(&sem->wait_lock);
	if (!sem->head) {
		c = READ_ONCE(sem->count);
		do {
			if (!(c & KSHIM_RWSEM_WRITER)) {
				/* Acquire: as in kshim_rwsem_try_read(). */
				if (!__atomic_compare_exchange_n(&sem->count, &c,
						c + KSHIM_RWSEM_READER, false,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
					continue;
				kshim_word_unlock(&sem->wait_lock);
				return;
			}
			/* From here on the writer's release needs wait_lock. */
			if (__atomic_compare_exchange_n(&sem->count, &c,
							c | KSHIM_RWSEM_WAITERS, false,
							__ATOMIC_RELAXED, __ATOMIC_RELAXED))
				break;
		} while (true);
	}
	append(sem, &me);
	kshim_word_unlock(&sem->wait_lock);
	sleep_on(&me, WAITING);
}

void kshim_rwsem_write_slow(struct rw_semaphore *sem)
{
	struct kshim_rwsem_waiter me = { .write = true };
	unsigned int c;
	int i;

	/* Here it may overtake the queue. */
	for (i = 0; i < KSHIM_SPINS; i++) {
		c = READ_ONCE(sem->count);
		/* Acquire: as in kshim_rwsem_try_write(). */
		if (!(c & HELD) &&
		    __atomic_compare_exchange_n(&sem->count, &c, c | KSHIM_RWSEM_WRITER, false,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return;
		cpu_relax();
	}

	kshim_word_lock(&sem->wait_lock);
	if (!sem->head) {
		for (;;) {
			if (kshim_rwsem_try_write(sem)) {
				kshim_word_unlock(&sem->wait_lock);
				return;
			}
			c = READ_ONCE(sem->count);
			/* From here on the last owner's release needs wait_lock. */
			if (c && __atomic_compare_exchange_n(&sem->count, &c,
							     c | KSHIM_RWSEM_WAITERS, false,
							     __ATOMIC_RELAXED, __ATOMIC_RELAXED))
				break;
		}
	}
	append(sem, &me);

	for (;;) {
		kshim_word_unlock(&sem->wait_lock);
		if (sleep_on(&me, WAITING) == GRANTED)
			return;

		/* Only the head is told to try again; or it was, and has the lock now. */
		kshim_word_lock(&sem->wait_lock);
		if (sem->head != &me) {
			kshim_word_unlock(&sem->wait_lock);
			sleep_on(&me, RETRY);
			return;
		}
		c = READ_ONCE(sem->count);
		while (!(c & HELD)) {
			unsigned int new = c | KSHIM_RWSEM_WRITER;

			if (!me.next)
				new &= ~KSHIM_RWSEM_WAITERS;
			/* Acquire: as in kshim_rwsem_try_write(). */
			if (__atomic_compare_exchange_n(&sem->count, &c, new, false,
							__ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
				take_head(sem);
				kshim_word_unlock(&sem->wait_lock);
				return;
			}
		}
		/* Overtaken. The owner's release, which needs wait_lock, sees this. */
		WRITE_ONCE(me.state, WAITING);
	}
}

/* The caller is a reader, was the last one when it looked, and somebody waits. */
void kshim_rwsem_read_release_slow(struct rw_semaphore *sem)
{
	struct wakeups wake = { };
	unsigned int c, add;

	kshim_word_lock(&sem->wait_lock);
	c = READ_ONCE(sem->count);
	do {
		add = 0;
		/*
		 * Still the last one: ->count is ours to change. Readers wait for
		 * a writer, so while there are readers the head is a writer.
		 */
		if (c < 2 * KSHIM_RWSEM_READER && sem->head)
			add = next_writer(sem, &wake);
		/*
		 * Release: pairs with the acquire of the next owner. Acquire: what
		 * other readers released goes on to a writer that is given the lock.
		 */
	} while (!__atomic_compare_exchange_n(&sem->count, &c, c - KSHIM_RWSEM_READER + add, false,
					      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	unlock_and_wake(sem, &wake);
}

/* The caller is the writer, and somebody waits. */
void kshim_rwsem_write_release_slow(struct rw_semaphore *sem)
{
	struct wakeups wake = { };
	unsigned int add;

	kshim_word_lock(&sem->wait_lock);
	if (sem->head->write) {
		add = next_writer(sem, &wake);
	} else {
		add = take_readers(sem, &wake.granted) * KSHIM_RWSEM_READER;
		add -= no_waiters(sem);
	}
	/* Release: pairs with the acquire of the next owner. */
	__atomic_fetch_add(&sem->count, add - KSHIM_RWSEM_WRITER, __ATOMIC_RELEASE);
	unlock_and_wake(sem, &wake);
}

/* The caller is the writer, stays as a reader, and somebody waits. */
void kshim_rwsem_downgrade_slow(struct rw_semaphore *sem)
{
	struct wakeups wake = { };
	unsigned int add = KSHIM_RWSEM_READER - KSHIM_RWSEM_WRITER;

	kshim_word_lock(&sem->wait_lock);
	if (!sem->head->write) {
		add += take_readers(sem, &wake.granted) * KSHIM_RWSEM_READER;
		add -= no_waiters(sem);
	}
	/* Release: pairs with the acquire of readers. */
	__atomic_fetch_add(&sem->count, add, __ATOMIC_RELEASE);
	unlock_and_wake(sem, &wake);
}
