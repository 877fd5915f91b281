// SPDX-License-Identifier: GPL-2.0
/* Threads and kernel threads. */
#include "conc.h"

#include <pthread.h>
#include <string.h>

#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

static int results[64];
static char thread_name[16];

static void result_thread(struct test_thread *thread)
{
	rcu_read_lock();
	results[thread->nr] = thread->nr + 1;
	rcu_read_unlock();
}

/* Join waits, and what a thread did is seen after it. */
static void test_create_join(void **state)
{
	struct test_thread threads[ARRAY_SIZE(results)];
	unsigned int i, round;

	(void)state;
	for (round = 0; round < 4; round++) {
		memset(results, 0, sizeof(results));
		start_threads(threads, ARRAY_SIZE(threads), result_thread);
		join_threads(threads, ARRAY_SIZE(threads));
		for (i = 0; i < ARRAY_SIZE(results); i++)
			assert_int_equal(results[i], i + 1);
	}
}

static void name_thread(void *arg)
{
	(void)arg;
	pthread_getname_np(pthread_self(), thread_name, sizeof(thread_name));
}

static void test_name(void **state)
{
	struct kshim_thread *thread;

	(void)state;
	thread = kshim_thread_create(name_thread, NULL, "a name that is too long");
	assert_non_null(thread);
	kshim_thread_join(thread);
	assert_string_equal(thread_name, "a name that is ");
}

static void *foreign_thread(void *arg)
{
	int *depth = arg;

	kshim_thread_register();
	kshim_thread_register();
	rcu_read_lock();
	*depth += rcu_read_lock_held();
	rcu_read_unlock();
	kshim_thread_unregister();
	/* Still registered: they nest. */
	rcu_read_lock();
	*depth += rcu_read_lock_held();
	rcu_read_unlock();
	*depth += !rcu_read_lock_held();
	kshim_thread_unregister();
	return NULL;
}

static void test_register(void **state)
{
	pthread_t pthread;
	int depth = 0;

	(void)state;
	assert_int_equal(pthread_create(&pthread, NULL, foreign_thread, &depth), 0);
	pthread_join(pthread, NULL);
	assert_int_equal(depth, 3);
	/* A grace period does not wait for a thread that is gone. */
	synchronize_rcu();
}

static DEFINE_SPINLOCK(spin);
static DECLARE_RWSEM(rwsem);

static void test_in_atomic(void **state)
{
	(void)state;
	assert_false(kshim_in_atomic());
	spin_lock(&spin);
	assert_true(kshim_in_atomic());
	spin_unlock(&spin);
	assert_false(kshim_in_atomic());
	rcu_read_lock();
	assert_true(kshim_in_atomic());
	rcu_read_unlock();
	down_write(&rwsem);
	assert_false(kshim_in_atomic());
	up_write(&rwsem);
	might_sleep();
	assert_int_equal(cond_resched(), 0);
	schedule();
	yield();
}

struct job {
	int stop_value;
	bool early;
	atomic_t rounds;
	bool saw_stop;
};

static int job_fn(void *data)
{
	struct job *job = data;

	if (job->early)
		return 42;
	while (!kthread_should_stop()) {
		atomic_inc(&job->rounds);
		schedule();
	}
	/* What was written before kthread_stop() is there. */
	job->saw_stop = true;
	return job->stop_value;
}

static void test_kthread(void **state)
{
	struct job job = { }, early = { .early = true };
	struct task_struct *task;

	(void)state;
	assert_false(kthread_should_stop());

	task = kthread_run(job_fn, &job, "job/%d", 1);
	assert_false(IS_ERR(task));
	assert_true(wait_until(atomic_read(&job.rounds) > 3));
	job.stop_value = -17;
	assert_int_equal(kthread_stop(task), -17);
	assert_true(job.saw_stop);

	/* One that ended by itself. */
	task = kthread_run(job_fn, &early, "early");
	assert_false(IS_ERR(task));
	sleep_us(5000);
	assert_int_equal(kthread_stop(task), 42);
	assert_false(kthread_should_stop());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_join),
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_register),
		cmocka_unit_test(test_in_atomic),
		cmocka_unit_test(test_kthread),
	};
	int ret;

	test_start();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	kshim_thread_unregister();
	return ret;
}
