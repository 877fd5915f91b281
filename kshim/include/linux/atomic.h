/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_ATOMIC_H
#define _LINUX_ATOMIC_H
/*
 * Mapping onto compiler builtins: atomic_t, atomic64_t, atomic_long_t and the
 * plain cmpxchg() family, by the __atomic builtins.
 *
 * The order is that of the kernel:
 *  - atomic_read(), atomic_set() and operations without a result: none;
 *  - operations with a result, and conditional ones that succeed: a full barrier;
 *  - conditional ones that fail: none;
 *  - the suffixes _relaxed, _acquire and _release say what they do.
 * Who pairs with whom is for the callers to say. Arithmetic wraps.
 */
#include <linux/types.h>
#include <linux/compiler.h>
#include <asm/barrier.h>

#define ATOMIC_INIT(i)		{ (i) }
#define ATOMIC64_INIT(i)	{ (i) }
#define ATOMIC_LONG_INIT(i)	{ (i) }

/* One operation without a result: relaxed. */
#define KSHIM_ATOMIC_VOID(pfx, T, I, op, builtin, arg, class)			\
static __always_inline void pfx##_##op(I i, T *v)				\
{										\
	__atomic_##builtin(kshim_sched_##class(&v->counter), (arg),		\
			   __ATOMIC_RELAXED);					\
}

/* One operation with a result, in one order. */
#define KSHIM_ATOMIC_RMW_ORDER(pfx, T, I, name, builtin, arg, sfx, order)	\
static __always_inline I pfx##_##name##sfx(I i, T *v)				\
{										\
	return __atomic_##builtin(kshim_sched_write(&v->counter), (arg), order);\
}

/* One operation with a result, in all orders. */
#define KSHIM_ATOMIC_RMW(pfx, T, I, name, builtin, arg)				\
KSHIM_ATOMIC_RMW_ORDER(pfx, T, I, name, builtin, arg, _relaxed, __ATOMIC_RELAXED) \
KSHIM_ATOMIC_RMW_ORDER(pfx, T, I, name, builtin, arg, _acquire, __ATOMIC_ACQUIRE) \
KSHIM_ATOMIC_RMW_ORDER(pfx, T, I, name, builtin, arg, _release, __ATOMIC_RELEASE) \
static __always_inline I pfx##_##name(I i, T *v)				\
{										\
	I ret;									\
										\
	kshim_full_fence();							\
	ret = __atomic_##builtin(kshim_sched_write(&v->counter), (arg),		\
				 __ATOMIC_SEQ_CST);				\
	kshim_full_fence();							\
	return ret;								\
}

/* pfx_inc_return() and so on: the operation above with 1. */
#define KSHIM_ATOMIC_BY_ONE(pfx, T, I, name, base)				\
static __always_inline I pfx##_##name##_relaxed(T *v)				\
{										\
	return pfx##_##base##_relaxed(1, v);					\
}										\
static __always_inline I pfx##_##name##_acquire(T *v)				\
{										\
	return pfx##_##base##_acquire(1, v);					\
}										\
static __always_inline I pfx##_##name##_release(T *v)				\
{										\
	return pfx##_##base##_release(1, v);					\
}										\
static __always_inline I pfx##_##name(T *v)					\
{										\
	return pfx##_##base(1, v);						\
}

/* Exchange and compare-and-exchange in one order; @fence is around a full one. */
#define KSHIM_ATOMIC_XCHG(pfx, T, I, sfx, order, fail, fence)			\
static __always_inline I pfx##_xchg##sfx(T *v, I new)				\
{										\
	I ret;									\
										\
	fence;									\
	ret = __atomic_exchange_n(kshim_sched_write(&v->counter), new, order);	\
	fence;									\
	return ret;								\
}										\
/* On failure, *@old becomes what was found. */				\
static __always_inline bool pfx##_try_cmpxchg##sfx(T *v, I *old, I new)		\
{										\
	__typeof__(v->counter) found = *old;					\
	bool ret;								\
										\
	fence;									\
	ret = __atomic_compare_exchange_n(kshim_sched_write(&v->counter),	\
					  &found, new, false, order, fail);	\
	fence;									\
	*old = found;								\
	return ret;								\
}										\
/* Returns what was found: @old exactly when @new was stored. */		\
static __always_inline I pfx##_cmpxchg##sfx(T *v, I old, I new)			\
{										\
	pfx##_try_cmpxchg##sfx(v, &old, new);					\
	return old;								\
}

/* Conditional updates: while (cond on c) try to store the new value. */
#define KSHIM_ATOMIC_COND(pfx, T, I)						\
/* Adds @a unless the value is @u; returns the value before. */		\
static __always_inline I pfx##_fetch_add_unless(T *v, I a, I u)			\
{										\
	I c = pfx##_read(v);							\
										\
	while (c != u && !pfx##_try_cmpxchg(v, &c, kshim_wrap_add(c, a)))	\
		;								\
	return c;								\
}										\
static __always_inline bool pfx##_add_unless(T *v, I a, I u)			\
{										\
	return pfx##_fetch_add_unless(v, a, u) != u;				\
}										\
static __always_inline bool pfx##_inc_not_zero(T *v)				\
{										\
	return pfx##_add_unless(v, 1, 0);					\
}										\
static __always_inline bool pfx##_inc_unless_negative(T *v)			\
{										\
	I c = pfx##_read(v);							\
										\
	while (c >= 0)								\
		if (pfx##_try_cmpxchg(v, &c, kshim_wrap_add(c, 1)))		\
			return true;						\
	return false;								\
}										\
static __always_inline bool pfx##_dec_unless_positive(T *v)			\
{										\
	I c = pfx##_read(v);							\
										\
	while (c <= 0)								\
		if (pfx##_try_cmpxchg(v, &c, kshim_wrap_add(c, -1)))		\
			return true;						\
	return false;								\
}										\
/* Decrements unless that gave a negative value, which is returned anyway. */	\
static __always_inline I pfx##_dec_if_positive(T *v)				\
{										\
	I c = pfx##_read(v);							\
										\
	while (c > 0)								\
		if (pfx##_try_cmpxchg(v, &c, c - 1))				\
			break;							\
	return kshim_wrap_add(c, -1);						\
}

#define kshim_wrap_add(a, b)							\
({										\
	__typeof__(a) __wrap_sum;						\
										\
	/* Overflow is defined here, and not asked about. */			\
	(void)__builtin_add_overflow((a), (b), &__wrap_sum);			\
	__wrap_sum;								\
})

#define KSHIM_ATOMIC(pfx, T, I)							\
static __always_inline I pfx##_read(const T *v)					\
{										\
	return __atomic_load_n(kshim_sched_read(&v->counter),			\
			       __ATOMIC_RELAXED);				\
}										\
static __always_inline I pfx##_read_acquire(const T *v)				\
{										\
	return __atomic_load_n(kshim_sched_read(&v->counter),			\
			       __ATOMIC_ACQUIRE);				\
}										\
static __always_inline void pfx##_set(T *v, I i)				\
{										\
	__atomic_store_n(kshim_sched_write(&v->counter), i,			\
			 __ATOMIC_RELAXED);					\
}										\
static __always_inline void pfx##_set_release(T *v, I i)			\
{										\
	__atomic_store_n(kshim_sched_write(&v->counter), i,			\
			 __ATOMIC_RELEASE);					\
}										\
KSHIM_ATOMIC_VOID(pfx, T, I, add, fetch_add, i, update)				\
KSHIM_ATOMIC_VOID(pfx, T, I, sub, fetch_sub, i, update)				\
KSHIM_ATOMIC_VOID(pfx, T, I, and, fetch_and, i, write)				\
KSHIM_ATOMIC_VOID(pfx, T, I, or, fetch_or, i, write)				\
KSHIM_ATOMIC_VOID(pfx, T, I, xor, fetch_xor, i, write)				\
KSHIM_ATOMIC_VOID(pfx, T, I, andnot, fetch_and, ~i, write)			\
static __always_inline void pfx##_inc(T *v)					\
{										\
	pfx##_add(1, v);							\
}										\
static __always_inline void pfx##_dec(T *v)					\
{										\
	pfx##_sub(1, v);							\
}										\
KSHIM_ATOMIC_RMW(pfx, T, I, add_return, add_fetch, i)				\
KSHIM_ATOMIC_RMW(pfx, T, I, sub_return, sub_fetch, i)				\
KSHIM_ATOMIC_RMW(pfx, T, I, fetch_add, fetch_add, i)				\
KSHIM_ATOMIC_RMW(pfx, T, I, fetch_sub, fetch_sub, i)				\
KSHIM_ATOMIC_RMW(pfx, T, I, fetch_and, fetch_and, i)				\
KSHIM_ATOMIC_RMW(pfx, T, I, fetch_or, fetch_or, i)				\
KSHIM_ATOMIC_RMW(pfx, T, I, fetch_xor, fetch_xor, i)				\
KSHIM_ATOMIC_RMW(pfx, T, I, fetch_andnot, fetch_and, ~i)			\
KSHIM_ATOMIC_BY_ONE(pfx, T, I, inc_return, add_return)				\
KSHIM_ATOMIC_BY_ONE(pfx, T, I, dec_return, sub_return)				\
KSHIM_ATOMIC_BY_ONE(pfx, T, I, fetch_inc, fetch_add)				\
KSHIM_ATOMIC_BY_ONE(pfx, T, I, fetch_dec, fetch_sub)				\
KSHIM_ATOMIC_XCHG(pfx, T, I, _relaxed, __ATOMIC_RELAXED, __ATOMIC_RELAXED, (void)0) \
KSHIM_ATOMIC_XCHG(pfx, T, I, _acquire, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED, (void)0) \
KSHIM_ATOMIC_XCHG(pfx, T, I, _release, __ATOMIC_RELEASE, __ATOMIC_RELAXED, (void)0) \
KSHIM_ATOMIC_XCHG(pfx, T, I, , __ATOMIC_SEQ_CST, __ATOMIC_RELAXED, kshim_full_fence()) \
static __always_inline bool pfx##_sub_and_test(I i, T *v)			\
{										\
	return pfx##_sub_return(i, v) == 0;					\
}										\
static __always_inline bool pfx##_dec_and_test(T *v)				\
{										\
	return pfx##_sub_return(1, v) == 0;					\
}										\
static __always_inline bool pfx##_inc_and_test(T *v)				\
{										\
	return pfx##_add_return(1, v) == 0;					\
}										\
static __always_inline bool pfx##_add_negative(I i, T *v)			\
{										\
	return pfx##_add_return(i, v) < 0;					\
}										\
KSHIM_ATOMIC_COND(pfx, T, I)

KSHIM_ATOMIC(atomic, atomic_t, int)
KSHIM_ATOMIC(atomic64, atomic64_t, s64)
KSHIM_ATOMIC(atomic_long, atomic_long_t, long)

/*
 * The same on plain integers and pointers of 1, 2, 4 and 8 bytes. cmpxchg()
 * returns what it found; try_cmpxchg() returns whether it stored, and puts what
 * it found into *@oldp if not.
 */
#define kshim_xchg(ptr, n, order)						\
({										\
	__typeof__(*(ptr)) __xchg_old;						\
										\
	kshim_full_fence();							\
	__xchg_old = __atomic_exchange_n(kshim_sched_write(ptr), (n), order);	\
	kshim_full_fence();							\
	__xchg_old;								\
})

#define kshim_cmpxchg(ptr, o, n, order)						\
({										\
	__typeof__(*(ptr)) __cmpxchg_old = (o);					\
										\
	kshim_full_fence();							\
	__atomic_compare_exchange_n(kshim_sched_write(ptr), &__cmpxchg_old,	\
				    (n), false, order, __ATOMIC_RELAXED);	\
	kshim_full_fence();							\
	__cmpxchg_old;								\
})

#define kshim_try_cmpxchg(ptr, oldp, n, order)					\
({										\
	bool __try_cmpxchg_ok;							\
										\
	kshim_full_fence();							\
	__try_cmpxchg_ok = __atomic_compare_exchange_n(				\
		kshim_sched_write(ptr), (oldp), (n), false, order,		\
		__ATOMIC_RELAXED);						\
	kshim_full_fence();							\
	__try_cmpxchg_ok;							\
})

#define xchg(ptr, n)			kshim_xchg(ptr, n, __ATOMIC_SEQ_CST)
#define xchg_relaxed(ptr, n)							\
	__atomic_exchange_n(kshim_sched_write(ptr), (n), __ATOMIC_RELAXED)
#define xchg_acquire(ptr, n)							\
	__atomic_exchange_n(kshim_sched_write(ptr), (n), __ATOMIC_ACQUIRE)
#define xchg_release(ptr, n)							\
	__atomic_exchange_n(kshim_sched_write(ptr), (n), __ATOMIC_RELEASE)
#define cmpxchg(ptr, o, n)		kshim_cmpxchg(ptr, o, n, __ATOMIC_SEQ_CST)
#define cmpxchg_relaxed(ptr, o, n)	kshim_cmpxchg(ptr, o, n, __ATOMIC_RELAXED)
#define cmpxchg_acquire(ptr, o, n)	kshim_cmpxchg(ptr, o, n, __ATOMIC_ACQUIRE)
#define cmpxchg_release(ptr, o, n)	kshim_cmpxchg(ptr, o, n, __ATOMIC_RELEASE)
#define try_cmpxchg(ptr, oldp, n)	kshim_try_cmpxchg(ptr, oldp, n, __ATOMIC_SEQ_CST)
#define try_cmpxchg_relaxed(ptr, oldp, n)					\
	kshim_try_cmpxchg(ptr, oldp, n, __ATOMIC_RELAXED)
#define try_cmpxchg_acquire(ptr, oldp, n)					\
	kshim_try_cmpxchg(ptr, oldp, n, __ATOMIC_ACQUIRE)
#define try_cmpxchg_release(ptr, oldp, n)					\
	kshim_try_cmpxchg(ptr, oldp, n, __ATOMIC_RELEASE)

#endif
