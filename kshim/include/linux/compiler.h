/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KSHIM_LINUX_COMPILER_H
#define _KSHIM_LINUX_COMPILER_H
/*
 * Mapping onto builtins and attributes of gcc and clang. Annotations for sparse
 * are empty.
 *
 * READ_ONCE() and WRITE_ONCE() are relaxed atomics and not volatile accesses, so
 * that ThreadSanitizer knows them. They take scalars only (no structs).
 */
#include <sys/cdefs.h>
#include <kshim/sched.h>

#ifndef likely
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#endif

#define barrier()		__asm__ __volatile__("" : : : "memory")
#define barrier_data(ptr)	__asm__ __volatile__("" : : "r"(ptr) : "memory")

/* libc has its own ideas of some of these. */
#undef __always_inline
#define __always_inline		inline __attribute__((__always_inline__))
#undef noinline
#define noinline		__attribute__((__noinline__))
#define __maybe_unused		__attribute__((__unused__))
#define __always_unused		__attribute__((__unused__))
#define __must_check		__attribute__((__warn_unused_result__))
/* For options that the build defines as 0 or 1. */
#define IS_ENABLED(option)	(option)

#define __aligned(x)		__attribute__((__aligned__(x)))
#define __packed		__attribute__((__packed__))
#define __printf(a, b)		__attribute__((__format__(__printf__, a, b)))
#define __cold			__attribute__((__cold__))
#define __weak			__attribute__((__weak__))
#define __noreturn		__attribute__((__noreturn__))
#define __malloc		__attribute__((__malloc__))
#undef __pure
#define __pure			__attribute__((__pure__))
#undef __attribute_const__
#define __attribute_const__	__attribute__((__const__))
#define __read_mostly
#define __ro_after_init
#define ____cacheline_aligned	__aligned(64)
#define ____cacheline_aligned_in_smp ____cacheline_aligned
#ifndef fallthrough
#define fallthrough		__attribute__((__fallthrough__))
#endif

/* Both occur in libc's and compilers' headers as well, where they are empty too. */
#ifndef __user
#define __user
#endif
#define __rcu
#define __force
#define __iomem
#define __percpu
#undef __bitwise
#define __bitwise
#define __must_hold(x)
#define __acquires(x)
#define __cond_acquires(x)
#define __releases(x)
#define __acquire(x)		((void)0)
#define __release(x)		((void)0)
#define __init
#define __exit
#define __initdata

#define __stringify_1(x...)	#x
#define __stringify(x...)	__stringify_1(x)
#define ___PASTE(a, b)		a##b
#define __PASTE(a, b)		___PASTE(a, b)
#define __UNIQUE_ID(prefix)	__PASTE(__PASTE(__unique_, prefix), __COUNTER__)

#define READ_ONCE(x)								\
	__atomic_load_n(kshim_sched_read(&(x)), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, val)							\
do {										\
	__typeof__(x) __write_once_val = (val);					\
	__atomic_store_n(kshim_sched_write(&(x)), __write_once_val, \
			 __ATOMIC_RELAXED);					\
} while (0)

/*
 * data_race - a racy access whose result may be anything
 *
 * For ThreadSanitizer the access has to be a relaxed atomic: @expr must be an
 * lvalue that is read.
 */
#define data_race(expr)		READ_ONCE(expr)

#define ASSERT_EXCLUSIVE_WRITER(var)	((void)0)
#define ASSERT_EXCLUSIVE_ACCESS(var)	((void)0)

#define OPTIMIZER_HIDE_VAR(var)	__asm__("" : "=r"(var) : "0"(var))

#endif
