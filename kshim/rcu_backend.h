/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KSHIM_RCU_BACKEND_H
#define KSHIM_RCU_BACKEND_H
/*
 * What rcu_urcu.c or rcu_portable.c implements, besides rcu_read_lock(),
 * rcu_read_unlock() and rcu_read_lock_held(), for rcu.c and thread.c.
 */
#include <linux/types.h>

/* The calling thread begins, or ceases, to use RCU. May sleep. */
void kshim_rcu_register(void);
void kshim_rcu_unregister(void);

/* Does what the functions of <linux/rcupdate.h> do, without checks and limits. */
void kshim_rcu_synchronize(void);
void kshim_rcu_enqueue(struct rcu_head *head, rcu_callback_t func);
void kshim_rcu_drain(void);

/* Is this the thread that calls callbacks? */
bool kshim_rcu_in_callback(void);

/* In rcu.c: RCU was used in a thread that nobody registered. */
void kshim_rcu_not_registered(void) __noreturn __cold;

#endif
