/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_RCUPDATE_H
#define _LINUX_RCUPDATE_H
/*
 * Mapping onto liburcu (flavour urcu-memb), or, with KSHIM_RCU_PORTABLE, a
 * different implementation that needs nothing but atomics and that
 * ThreadSanitizer understands. kshim/rcu_urcu.c and kshim/rcu_portable.c have one
 * each, kshim/rcu.c what both share.
 *
 * Threads that use RCU are registered (see <kshim/thread.h>).
 */
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/lockdep.h>
#include <linux/stddef.h>
#include <linux/types.h>

/**
 * rcu_read_lock - begin a read section
 *
 * Objects that are found in a section and freed after a grace period are there
 * until its end. Sections nest; no sleeping inside. Any context.
 */
void rcu_read_lock(void);
void rcu_read_unlock(void);

/* Is this thread in a read section? Exact in all builds. */
bool rcu_read_lock_held(void);

/**
 * call_rcu - call a function after a grace period
 * @head: in the object that the function is about
 * @func: called as func(@head) in a thread of its own; does not sleep
 *
 * Usable anywhere. When more than KSHIM_RCU_BACKLOG callbacks are behind, a
 * caller that may sleep (no spinlock, no read section, not itself a callback)
 * waits until they are fewer, so that memory does not run out. Locks that such a
 * caller holds must therefore be none that callbacks or readers wait for; as
 * neither may sleep, these could only be spinlocks anyway.
 */
void call_rcu(struct rcu_head *head, rcu_callback_t func);

#define KSHIM_RCU_BACKLOG	20000

/**
 * synchronize_rcu - wait for a grace period
 *
 * Every read section that had begun is over on return. May sleep; not in a read
 * section, which would wait for itself.
 */
void synchronize_rcu(void);

/* As synchronize_rcu(): nothing is faster here. */
static inline void synchronize_rcu_expedited(void)
{
	synchronize_rcu();
}

/**
 * rcu_barrier - wait for callbacks
 *
 * All callbacks whose call_rcu() or kfree_rcu() came before, by any thread, have
 * run on return. May sleep; not in a callback, nor in a read section.
 */
void rcu_barrier(void);

/* The callback that frees the object that begins @offset bytes before its head. */
rcu_callback_t kshim_kfree_rcu_func(size_t offset);

/* A head at @offset bytes in its object can be freed by kfree_rcu(). */
#define KSHIM_KFREE_RCU_MAX	4096

/**
 * kfree_rcu - kfree() an object after a grace period
 * @ptr: the object; NULL is ignored
 * @field: its rcu_head, in the first 4 KiB
 *
 * As call_rcu().
 */
#define kfree_rcu(ptr, field)							\
do {										\
	__typeof__(ptr) __kfree_ptr = (ptr);					\
										\
	BUILD_BUG_ON(offsetof(__typeof__(*(ptr)), field) >= KSHIM_KFREE_RCU_MAX); \
	if (__kfree_ptr)							\
		call_rcu(&__kfree_ptr->field,					\
			 kshim_kfree_rcu_func(offsetof(__typeof__(*(ptr)), field))); \
} while (0)

/*
 * Fetches a pointer to look behind it.
 *
 * Acquire (what compilers make of consume): pairs with rcu_assign_pointer().
 * Without it a reader could see the object as it was before its initialisation.
 */
#define rcu_dereference_raw(p)							\
	__atomic_load_n(kshim_sched_read(&(p)), __ATOMIC_CONSUME)

#ifdef KSHIM_LOCKDEP
#define kshim_rcu_check(c, what)	kshim_lockdep_assert(c, what)
#else
#define kshim_rcu_check(c, what)	((void)sizeof(!!(c)))
#endif

/* In a read section, or @c: else the validator reports. */
#define rcu_dereference_check(p, c)						\
({										\
	kshim_rcu_check(rcu_read_lock_held() || (c), "rcu_dereference(" #p ")"); \
	rcu_dereference_raw(p);							\
})
#define rcu_dereference(p)		rcu_dereference_check(p, 0)

/* Where updates are excluded by @c, so that no order is needed. */
#define rcu_dereference_protected(p, c)						\
({										\
	kshim_rcu_check(c, "rcu_dereference_protected(" #p ", " #c ")");	\
	READ_ONCE(p);								\
})

/* To look at the pointer, not behind it. */
#define rcu_access_pointer(p)		READ_ONCE(p)

/*
 * Publishes an object.
 *
 * Release: pairs with rcu_dereference(). Without it readers could find the
 * object before its initialisation.
 */
#define rcu_assign_pointer(p, v)						\
	__atomic_store_n(kshim_sched_write(&(p)), (v), __ATOMIC_RELEASE)

/* Without order: for NULL, and for what readers could see already. */
#define RCU_INIT_POINTER(p, v)							\
	__atomic_store_n(kshim_sched_write(&(p)), (v), __ATOMIC_RELAXED)

#define RCU_LOCKDEP_WARN(c, s)		kshim_rcu_check(!(c), s)

#endif
