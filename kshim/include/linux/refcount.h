/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_REFCOUNT_H
#define _LINUX_REFCOUNT_H
/*
 * Different implementation: reference counts that saturate instead of wrapping.
 *
 * A count that overflows, is raised from 0, or falls below 0 is set to a value
 * halfway down the negative range and stays about there for good: the object
 * leaks, which is better than to free it under its users. The first misuse of
 * each kind prints a warning.
 *
 * Taking a reference orders nothing: the taker has one, or a lock, already.
 * Dropping one is a release, and an acquire as well if it was the last, so that
 * whoever frees the object comes after all that others did to it.
 */
#include <linux/types.h>
#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/compiler.h>

typedef struct refcount_struct {
	atomic_t refs;
} refcount_t;

#define REFCOUNT_INIT(n)	{ .refs = ATOMIC_INIT(n) }
#define REFCOUNT_MAX		0x7fffffff
#define REFCOUNT_SATURATED	(-0x40000000)

enum kshim_refcount_misuse {
	KSHIM_REFCOUNT_OVERFLOW,	/* more references than fit */
	KSHIM_REFCOUNT_FROM_ZERO,	/* use after free */
	KSHIM_REFCOUNT_UNDERFLOW,	/* more drops than references */
	KSHIM_REFCOUNT_LEAK,		/* refcount_dec() reached 0: nobody frees it */
};

/* Saturates @r and warns. Does not sleep. */
void kshim_refcount_misused(refcount_t *r, enum kshim_refcount_misuse what);

static inline void refcount_set(refcount_t *r, int n)
{
	atomic_set(&r->refs, n);
}

static inline unsigned int refcount_read(const refcount_t *r)
{
	return atomic_read(&r->refs);
}

/**
 * refcount_add_not_zero - take references unless the object is going away
 * @i: how many, > 0
 * @r: the count
 *
 * For objects found without holding a reference, e.g. under RCU. Orders nothing
 * but by control dependency. Returns false when the count is 0.
 */
static inline bool refcount_add_not_zero(int i, refcount_t *r)
{
	int old = atomic_read(&r->refs);

	do {
		if (!old)
			return false;
	} while (!atomic_try_cmpxchg_relaxed(&r->refs, &old, kshim_wrap_add(old, i)));

	if (unlikely(old < 0 || kshim_wrap_add(old, i) < 0))
		kshim_refcount_misused(r, KSHIM_REFCOUNT_OVERFLOW);
	return true;
}

static inline bool refcount_inc_not_zero(refcount_t *r)
{
	return refcount_add_not_zero(1, r);
}

/* Takes @i references; the caller has one, so the count is not 0. */
static inline void refcount_add(int i, refcount_t *r)
{
	int old = atomic_fetch_add_relaxed(i, &r->refs);

	if (unlikely(!old))
		kshim_refcount_misused(r, KSHIM_REFCOUNT_FROM_ZERO);
	else if (unlikely(old < 0 || kshim_wrap_add(old, i) < 0))
		kshim_refcount_misused(r, KSHIM_REFCOUNT_OVERFLOW);
}

static inline void refcount_inc(refcount_t *r)
{
	refcount_add(1, r);
}

/**
 * refcount_sub_and_test - drop references
 * @i: how many, > 0
 * @r: the count
 *
 * Returns true when they were the last: the caller frees the object. Does not
 * sleep.
 */
static inline bool refcount_sub_and_test(int i, refcount_t *r)
{
	/* Release: pairs with the acquire below, of whoever drops the last one. */
	int old = atomic_fetch_sub_release(i, &r->refs);

	if (old > 0 && old == i) {
		/*
		 * Acquire: pairs with the release above of the other droppers.
		 * Without it their last accesses could come after the free.
		 */
		smp_acquire__after_ctrl_dep();
		return true;
	}
	if (unlikely(old <= 0 || old - i < 0))
		kshim_refcount_misused(r, KSHIM_REFCOUNT_UNDERFLOW);
	return false;
}

static inline bool refcount_dec_and_test(refcount_t *r)
{
	return refcount_sub_and_test(1, r);
}

/* Drops a reference that is known not to be the last. */
static inline void refcount_dec(refcount_t *r)
{
	if (unlikely(atomic_fetch_sub_release(1, &r->refs) <= 1))
		kshim_refcount_misused(r, KSHIM_REFCOUNT_LEAK);
}

#endif
