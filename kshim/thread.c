// SPDX-License-Identifier: GPL-2.0
/* Threads (<kshim/thread.h>) and kernel threads (<linux/kthread.h>). */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kthread.h>
#include <linux/lockdep.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <kshim/thread.h>

#include "rcu_backend.h"

#define NAME_SIZE	16	/* what the host has room for */

/*
 * Memory comes from the C library and not from kmalloc(): tests count what goes
 * through kmalloc(), and make it fail.
 */
struct kshim_thread {
	pthread_t pthread;
	void (*fn)(void *arg);
	void *arg;
	char name[NAME_SIZE];
};

static __thread unsigned int registrations;

void kshim_thread_register(void)
{
	if (!registrations++)
		kshim_rcu_register();
}

void kshim_thread_unregister(void)
{
	BUG_ON(!registrations);
	if (--registrations)
		return;
#ifdef KSHIM_LOCKDEP
	kshim_lockdep_thread_exit();
#endif
	kshim_rcu_unregister();
}

bool kshim_in_atomic(void)
{
	return kshim_spin_depth || rcu_read_lock_held();
}

static void *thread_main(void *arg)
{
	struct kshim_thread *thread = arg;

	pthread_setname_np(pthread_self(), thread->name);
	kshim_thread_register();
	thread->fn(thread->arg);
	kshim_thread_unregister();
	return NULL;
}

struct kshim_thread *kshim_thread_create(void (*fn)(void *arg), void *arg, const char *name)
{
	struct kshim_thread *thread = calloc(1, sizeof(*thread));

	might_sleep();
	if (!thread)
		return NULL;
	thread->fn = fn;
	thread->arg = arg;
	snprintf(thread->name, sizeof(thread->name), "%s", name);
	if (pthread_create(&thread->pthread, NULL, thread_main, thread)) {
		free(thread);
		return NULL;
	}
	return thread;
}

void kshim_thread_join(struct kshim_thread *thread)
{
	might_sleep();
	pthread_join(thread->pthread, NULL);
	free(thread);
}

struct task_struct {
	struct kshim_thread *thread;
	int (*fn)(void *data);
	void *data;
	int ret;
	bool should_stop;
};

static __thread struct task_struct *self;

static void kthread_main(void *arg)
{
	self = arg;
	self->ret = self->fn(self->data);
	self = NULL;
}

struct task_struct *kthread_run(int (*threadfn)(void *data), void *data,
				const char *namefmt, ...)
{
	struct task_struct *k = calloc(1, sizeof(*k));
	char name[NAME_SIZE];
	va_list args;

	if (!k)
		return ERR_PTR(-ENOMEM);
	k->fn = threadfn;
	k->data = data;

	va_start(args, namefmt);
	vsnprintf(name, sizeof(name), namefmt, args);
	va_end(args);

	k->thread = kshim_thread_create(kthread_main, k, name);
	if (!k->thread) {
		free(k);
		return ERR_PTR(-ENOMEM);
	}
	return k;
}

int kthread_stop(struct task_struct *k)
{
	int ret;

	/*
	 * Release: pairs with the acquire in kthread_should_stop(). Without it
	 * the thread could miss what its stopper had prepared for its end.
	 */
	smp_store_release(&k->should_stop, true);
	kshim_thread_join(k->thread);
	ret = k->ret;
	free(k);
	return ret;
}

bool kthread_should_stop(void)
{
	return self && smp_load_acquire(&self->should_stop);
}
