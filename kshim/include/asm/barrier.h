/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ASM_BARRIER_H
#define _ASM_BARRIER_H
/*
 * Mapping onto compiler builtins: the memory barriers of the kernel, by the
 * __atomic builtins of gcc and clang.
 *
 * This header defines the primitives; each use of one names its pair. All of
 * them also keep the compiler from moving memory accesses across them.
 *
 * ThreadSanitizer does not understand fences. Under it a fence is a sequentially
 * consistent read-modify-write of one dummy variable, which it does understand:
 * if thread A's fence came before thread B's, then what A did before its own
 * happened before what B does after its own - just what paired fences promise.
 */
#include <kshim/sched.h>

#if defined(__SANITIZE_THREAD__)
#define KSHIM_TSAN	1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KSHIM_TSAN	1
#endif
#endif

#ifdef KSHIM_TSAN
extern unsigned int kshim_fence_dummy;

#define kshim_fence(order)						\
	((void)__atomic_fetch_add(&kshim_fence_dummy, 1, __ATOMIC_SEQ_CST))
#else
#define kshim_fence(order)	__atomic_thread_fence(order)
#endif

/* Everything before against everything after. */
#define smp_mb()	kshim_fence(__ATOMIC_SEQ_CST)
/* Loads before against loads (and, stronger than asked for, stores) after. */
#define smp_rmb()	kshim_fence(__ATOMIC_ACQUIRE)
/* Stores (and, stronger than asked for, loads) before against stores after. */
#define smp_wmb()	kshim_fence(__ATOMIC_RELEASE)

/* What follows cannot be seen to happen before this load. */
#define smp_load_acquire(p)							\
	__atomic_load_n(kshim_sched_read((p)), __ATOMIC_ACQUIRE)
/* What precedes cannot be seen to happen after this store. */
#define smp_store_release(p, v)							\
	__atomic_store_n(kshim_sched_write((p)), (v), __ATOMIC_RELEASE)

#define smp_store_mb(var, value)					\
	do {								\
		__atomic_store_n(kshim_sched_write(&(var)), \
				 (value), __ATOMIC_RELAXED);		\
		smp_mb();						\
	} while (0)

/* Makes a load that a branch depends on an acquire. */
#define smp_acquire__after_ctrl_dep()	smp_rmb()

/*
 * Make a relaxed read-modify-write a full barrier. On x86 the instruction is one
 * already, and only the compiler has to be told.
 */
#if defined(__x86_64__) && !defined(KSHIM_TSAN)
#define smp_mb__before_atomic()	__atomic_signal_fence(__ATOMIC_SEQ_CST)
#define smp_mb__after_atomic()	__atomic_signal_fence(__ATOMIC_SEQ_CST)
#else
#define smp_mb__before_atomic()	smp_mb()
#define smp_mb__after_atomic()	smp_mb()
#endif

/*
 * Around the value-returning atomics, which are full barriers in the kernel. The
 * builtin, with __ATOMIC_SEQ_CST, is one on x86; elsewhere (arm64's ldaxr/stlxr,
 * say) accesses from before and after may pass each other in the middle of it.
 */
#if defined(__x86_64__)
#define kshim_full_fence()	do { } while (0)
#else
#define kshim_full_fence()	smp_mb()
#endif

/* Tells the processor that this is a loop that waits for another one. */
static inline __attribute__((always_inline)) void cpu_relax(void)
{
#ifdef KSHIM_SCHED
	kshim_sched_yield();
#elif defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield" : : : "memory");
#endif
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

#endif
