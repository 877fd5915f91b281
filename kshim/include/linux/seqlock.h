/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_SEQLOCK_H
#define _LINUX_SEQLOCK_H
/*
 * Different implementation: sequence counts. Writers, who exclude each other by
 * a lock of their own, make the count odd while they change the data; a reader
 * that finds the count odd, or changed at its end, starts over. What readers read
 * must be read by READ_ONCE() and written by WRITE_ONCE(): it may change at any
 * time, and ThreadSanitizer would mind.
 */
#include <linux/compiler.h>
#include <linux/lockdep.h>
#include <linux/types.h>
#include <asm/barrier.h>
#include <kshim/thread.h>

typedef struct seqcount {
	unsigned int sequence;
} seqcount_t;

#define SEQCNT_ZERO(name)	{ .sequence = 0 }

static inline void seqcount_init(seqcount_t *s)
{
	WRITE_ONCE(s->sequence, 0);
}

/* Waits for a writer to leave; returns the even count. Does not sleep. */
unsigned int kshim_seqcount_wait(const seqcount_t *s);

/*
 * The count as it is, odd or even. Does not wait.
 *
 * Acquire: pairs with the release in raw_write_seqcount_end(). Without it a
 * reader could see the new count and old data, and believe both.
 */
static inline unsigned int raw_read_seqcount(const seqcount_t *s)
{
	return smp_load_acquire(&s->sequence);
}

/* Start to read without waiting: when a writer is at work, the retry check fails. */
static inline unsigned int raw_seqcount_begin(const seqcount_t *s)
{
	return raw_read_seqcount(s) & ~1U;
}

/* Start to read, after a writer that is at work. */
static inline unsigned int read_seqcount_begin(const seqcount_t *s)
{
	unsigned int seq = raw_read_seqcount(s);

	return likely(!(seq & 1)) ? seq : kshim_seqcount_wait(s);
}

/**
 * read_seqcount_retry - was what was read possibly changed meanwhile?
 * @s: the count
 * @start: what the begin function returned
 *
 * Returns non-zero when nothing that was read may be used.
 */
static inline int read_seqcount_retry(const seqcount_t *s, unsigned int start)
{
	/*
	 * Pairs with the barrier in raw_write_seqcount_begin(): whoever read
	 * something new sees the count that announced it. Without it the count
	 * could be read before the data.
	 */
	smp_rmb();
	return READ_ONCE(s->sequence) != start;
}

/* Starts to write. Other writers are excluded by the caller. */
static inline void raw_write_seqcount_begin(seqcount_t *s)
{
	WRITE_ONCE(s->sequence, s->sequence + 1);
	/* Pairs with the barrier in read_seqcount_retry(). */
	smp_wmb();
}

static inline void raw_write_seqcount_end(seqcount_t *s)
{
	/* Release: pairs with the acquire in raw_read_seqcount(). */
	smp_store_release(&s->sequence, s->sequence + 1);
}

/*
 * As the raw functions, for writers under a spinlock, which readers that wait
 * rely on: the validator reports a writer that could sleep.
 */
static inline void write_seqcount_begin(seqcount_t *s)
{
	lockdep_assert(kshim_spin_depth != 0);
	raw_write_seqcount_begin(s);
}

static inline void write_seqcount_end(seqcount_t *s)
{
	raw_write_seqcount_end(s);
}

#endif
