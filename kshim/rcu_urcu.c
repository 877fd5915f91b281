// SPDX-License-Identifier: GPL-2.0
/*
 * RCU, by liburcu's flavour urcu-memb: readers pay no barrier, since a grace
 * period makes all of them execute one by membarrier(2).
 */
#define _LGPL_SOURCE		/* read sections inline: LGPL, compatible with GPL */
#include <pthread.h>
#include <urcu/urcu-memb.h>

/*
 * Its struct rcu_head and ours have one layout. This is above the inclusion of
 * ours, which takes the name.
 */
static void enqueue(void *head, void *func)
{
	urcu_memb_call_rcu(head, (void (*)(struct rcu_head *))func);
}

enum { LIBURCU_HEAD_SIZE = sizeof(struct rcu_head) };

/* Its short names, for the flavour in use, are not wanted. */
#undef rcu_read_lock
#undef rcu_read_unlock
#undef rcu_dereference
#undef rcu_assign_pointer
#undef call_rcu
#undef synchronize_rcu
#undef rcu_barrier

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#include "rcu_backend.h"

void rcu_read_lock(void)
{
	if (unlikely(!URCU_TLS(urcu_memb_reader).registered))
		kshim_rcu_not_registered();
	_urcu_memb_read_lock();
}

void rcu_read_unlock(void)
{
#ifdef KSHIM_LOCKDEP
	if (!rcu_read_lock_held()) {
		kshim_lockdep_assert_failed("in an RCU read section", "rcu_read_unlock()", 0);
		return;
	}
#endif
	_urcu_memb_read_unlock();
}

bool rcu_read_lock_held(void)
{
	return _urcu_memb_read_ongoing();
}

void kshim_rcu_register(void)
{
	urcu_memb_register_thread();
}

void kshim_rcu_unregister(void)
{
	urcu_memb_unregister_thread();
}

void kshim_rcu_synchronize(void)
{
	urcu_memb_synchronize_rcu();
}

void kshim_rcu_enqueue(struct rcu_head *head, rcu_callback_t func)
{
	BUILD_BUG_ON(sizeof(struct rcu_head) != LIBURCU_HEAD_SIZE);

	enqueue(head, func);
}

void kshim_rcu_drain(void)
{
	urcu_memb_barrier();
}

bool kshim_rcu_in_callback(void)
{
	/* The default worker is the only one: nobody creates others. */
	struct call_rcu_data *worker = urcu_memb_get_default_call_rcu_data();

	return pthread_equal(pthread_self(), urcu_memb_get_call_rcu_thread(worker));
}
