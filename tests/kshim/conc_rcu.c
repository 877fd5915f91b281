// SPDX-License-Identifier: GPL-2.0
/* RCU: the same tests for both implementations. */
#include "conc.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <linux/completion.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static atomic_t errors;
static u64 deadline;

/* -- torture -------------------------------------------------------------------- */

#define ALIVE	0x600dUL
#define DEAD	0xdeadUL
#define NR_SLOTS	16
/* Freed objects stay around, poisoned, for readers that should not see them. */
#define GRAVEYARD	64

struct object {
	unsigned long state;
	unsigned long copy[4];	/* all the same */
	struct rcu_head rcu;
};

static struct object *slots[NR_SLOTS];
static DEFINE_SPINLOCK(slots_lock);
static struct object *graveyard[GRAVEYARD];
static atomic_long_t retired, buried, seen;

static void bury(struct object *object)
{
	struct object *old;

	/* Plain accesses, so that ThreadSanitizer finds readers as well. */
	object->state = DEAD;
	memset(object->copy, 0x6b, sizeof(object->copy));
	old = xchg(&graveyard[atomic_long_inc_return(&buried) % GRAVEYARD], object);
	free(old);
}

static void bury_rcu(struct rcu_head *head)
{
	bury(container_of(head, struct object, rcu));
}

static struct object *new_object(u64 value)
{
	struct object *object = malloc(sizeof(*object));
	int i;

	object->state = ALIVE;
	for (i = 0; i < 4; i++)
		object->copy[i] = value;
	return object;
}

static void look_at(const struct object *object)
{
	int i;

	if (object->state != ALIVE)
		atomic_inc(&errors);
	for (i = 1; i < 4; i++)
		if (object->copy[i] != object->copy[0])
			atomic_inc(&errors);
}

static void torture_reader(struct test_thread *thread)
{
	const struct object *object;
	bool nested, pause;

	while (now_ns() < deadline) {
		nested = rnd(&thread->rnd) % 4 == 0;
		pause = rnd(&thread->rnd) % 32 == 0;
		rcu_read_lock();
		object = rcu_dereference(slots[rnd(&thread->rnd) % NR_SLOTS]);
		look_at(object);
		if (nested) {
			rcu_read_lock();
			rcu_read_unlock();
		}
		/* Preempted, so that grace periods have to wait. */
		if (pause)
			sleep_us(50);
		look_at(object);
		rcu_read_unlock();
		atomic_long_inc(&seen);
	}
}

static void torture_writer(struct test_thread *thread)
{
	struct object *object, *old;
	unsigned int slot;

	while (now_ns() < deadline) {
		object = new_object(rnd(&thread->rnd));
		slot = rnd(&thread->rnd) % NR_SLOTS;
		spin_lock(&slots_lock);
		old = rcu_dereference_protected(slots[slot], lockdep_is_held(&slots_lock));
		rcu_assign_pointer(slots[slot], object);
		spin_unlock(&slots_lock);
		atomic_long_inc(&retired);
		if (rnd(&thread->rnd) % 64) {
			call_rcu(&old->rcu, bury_rcu);
		} else {
			synchronize_rcu();
			bury(old);
		}
		if (rnd(&thread->rnd) % 16 == 0)
			sleep_us(20);
	}
}

static void torture_thread(struct test_thread *thread)
{
	if (thread->nr < 2)
		torture_writer(thread);
	else
		torture_reader(thread);
}

static void test_torture(void **state)
{
	struct test_thread threads[NR_THREADS];
	int i;

	(void)state;
	for (i = 0; i < NR_SLOTS; i++)
		slots[i] = new_object(i);
	deadline = now_ns() + 1000000000ULL;
	start_threads(threads, NR_THREADS, torture_thread);
	join_threads(threads, NR_THREADS);
	rcu_barrier();
	assert_int_equal(atomic_read(&errors), 0);
	assert_int_equal(atomic_long_read(&retired), atomic_long_read(&buried));
	assert_true(atomic_long_read(&seen) > 0);
	assert_true(atomic_long_read(&retired) > 0);
	for (i = 0; i < NR_SLOTS; i++)
		free(slots[i]);
	for (i = 0; i < GRAVEYARD; i++)
		free(graveyard[i]);
}

/* -- waiting ------------------------------------------------------------------------ */

static DECLARE_COMPLETION(reader_in);
static atomic_t reader_out, callbacks_run;

/* Stays in a read section for 30 ms, of which the last half after an inner unlock. */
static void slow_reader(struct test_thread *thread)
{
	(void)thread;
	rcu_read_lock();
	rcu_read_lock();
	complete(&reader_in);
	sleep_us(15000);
	rcu_read_unlock();
	if (!rcu_read_lock_held())
		atomic_inc(&errors);
	sleep_us(15000);
	atomic_set_release(&reader_out, 1);
	rcu_read_unlock();
	if (rcu_read_lock_held())
		atomic_inc(&errors);
}

static void count_callback(struct rcu_head *head)
{
	if (!atomic_read_acquire(&reader_out))
		atomic_inc(&errors);
	atomic_inc(&callbacks_run);
	free(head);
}

#define BARRIER_CALLBACKS	5000

/* Grace periods, and so callbacks, wait for the outermost section's end. */
static void test_waits_for_reader(void **state)
{
	struct test_thread reader;
	int i;

	(void)state;
	atomic_set(&reader_out, 0);
	start_thread(&reader, 0, slow_reader);
	wait_for_completion(&reader_in);
	synchronize_rcu();
	assert_int_equal(atomic_read_acquire(&reader_out), 1);
	join_threads(&reader, 1);

	atomic_set(&reader_out, 0);
	start_thread(&reader, 0, slow_reader);
	wait_for_completion(&reader_in);
	for (i = 0; i < BARRIER_CALLBACKS; i++)
		call_rcu(malloc(sizeof(struct rcu_head)), count_callback);
	rcu_barrier();
	assert_int_equal(atomic_read(&callbacks_run), BARRIER_CALLBACKS);
	assert_int_equal(atomic_read_acquire(&reader_out), 1);
	join_threads(&reader, 1);
	assert_int_equal(atomic_read(&errors), 0);
}

static void barrier_thread(struct test_thread *thread)
{
	int i;

	(void)thread;
	for (i = 0; i < 5; i++) {
		call_rcu(malloc(sizeof(struct rcu_head)), count_callback);
		rcu_barrier();
	}
}

static void test_barrier_concurrent(void **state)
{
	struct test_thread threads[NR_THREADS];

	(void)state;
	atomic_set(&reader_out, 1);
	atomic_set(&callbacks_run, 0);
	start_threads(threads, NR_THREADS, barrier_thread);
	join_threads(threads, NR_THREADS);
	assert_int_equal(atomic_read(&callbacks_run), NR_THREADS * 5);
	/* With nothing to wait for. */
	rcu_barrier();
}

/* -- the limit on callbacks -------------------------------------------------------- */

static atomic_long_t queued, run;
static long worst;
static bool hold_reader;

/* By default more than the limit; N=10000000 for a long run. */
static long nr_callbacks = 3 * KSHIM_RCU_BACKLOG;

static void run_callback(struct rcu_head *head)
{
	atomic_long_inc(&run);
	free(head);
}

static void queue_callback(void)
{
	long backlog, old;

	atomic_long_inc(&queued);
	call_rcu(malloc(sizeof(struct rcu_head)), run_callback);
	backlog = atomic_long_read(&queued) - atomic_long_read(&run);
	old = READ_ONCE(worst);
	while (backlog > old && !try_cmpxchg(&worst, &old, backlog))
		;
}

static void producer(struct test_thread *thread)
{
	long i;

	for (i = thread->nr; i < nr_callbacks; i += 2)
		queue_callback();
}

static void holding_reader(struct test_thread *thread)
{
	(void)thread;
	rcu_read_lock();
	complete(&reader_in);
	while (READ_ONCE(hold_reader))
		sleep_us(100);
	rcu_read_unlock();
}

static void test_backlog(void **state)
{
	struct test_thread threads[2], reader;
	const char *env = getenv("N");
	long stopped_at, early;
	bool stopped;

	(void)state;
	if (env)
		nr_callbacks = strtol(env, NULL, 0);

	/* No grace period ends: the producers must stop by themselves. */
	WRITE_ONCE(hold_reader, true);
	start_thread(&reader, 0, holding_reader);
	wait_for_completion(&reader_in);
	start_threads(threads, 2, producer);
	/* Some that ran before this test may not be known to have run. */
	stopped = wait_until(atomic_long_read(&queued) >= KSHIM_RCU_BACKLOG - 4096);
	sleep_us(50000);
	stopped_at = atomic_long_read(&queued);
	early = atomic_long_read(&run);
	WRITE_ONCE(hold_reader, false);

	join_threads(threads, 2);
	join_threads(&reader, 1);
	rcu_barrier();
	assert_true(stopped);
	assert_in_range(stopped_at, KSHIM_RCU_BACKLOG - 4096, KSHIM_RCU_BACKLOG + 64);
	assert_int_equal(early, 0);
	assert_int_equal(atomic_long_read(&run), nr_callbacks);
	/* A few may be counted and not queued yet; see call_rcu(). */
	assert_true(worst <= KSHIM_RCU_BACKLOG + 2048);
}

static void requeue_callback(struct rcu_head *head)
{
	atomic_long_inc(&run);
	call_rcu(head, run_callback);
}

/* Callers that must not sleep are not held up, nor are callbacks. */
static void test_backlog_atomic(void **state)
{
	const long n = KSHIM_RCU_BACKLOG + 20000;
	long i;

	(void)state;
	atomic_long_set(&run, 0);
	rcu_read_lock();
	for (i = 0; i < n; i++)
		call_rcu(malloc(sizeof(struct rcu_head)), requeue_callback);
	assert_int_equal(atomic_long_read(&run), 0);
	rcu_read_unlock();
	/* The first waits for the first n, the second for what these queued. */
	rcu_barrier();
	rcu_barrier();
	assert_int_equal(atomic_long_read(&run), 2 * n);

	atomic_long_set(&run, 0);
	spin_lock(&slots_lock);
	for (i = 0; i < n; i++)
		call_rcu(malloc(sizeof(struct rcu_head)), run_callback);
	spin_unlock(&slots_lock);
	rcu_barrier();
	assert_int_equal(atomic_long_read(&run), n);
}

/* -- kfree_rcu() ------------------------------------------------------------------- */

struct head_first {
	struct rcu_head rcu;
	long x;
};

struct head_late {
	char before[4080];
	struct rcu_head rcu;
};

static void test_kfree_rcu(void **state)
{
	struct head_first *first, *none = NULL;
	struct object *object;
	struct head_late *late;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		first = kmalloc(sizeof(*first), GFP_KERNEL);
		object = kmalloc(sizeof(*object), GFP_KERNEL);
		late = kmalloc(sizeof(*late), GFP_KERNEL);
		assert_true(first && object && late);
		kfree_rcu(first, rcu);
		kfree_rcu(object, rcu);
		kfree_rcu(late, rcu);
	}
	kfree_rcu(none, rcu);
	/* What was freed wrongly, or not, is for the sanitizers to tell. */
	rcu_barrier();
}

/* -- misuse ------------------------------------------------------------------------ */

static void test_not_registered(void **state)
{
	const struct rlimit no_core = { 0, 0 };
	int status;
	pid_t pid;

	(void)state;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		setrlimit(RLIMIT_CORE, &no_core);
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		/* cmocka would take it for a failed test. */
		signal(SIGABRT, SIG_DFL);
		kshim_thread_unregister();
		rcu_read_lock();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void test_pointers(void **state)
{
	static struct object *pointer;
	struct object object = { .state = ALIVE };

	(void)state;
	RCU_INIT_POINTER(pointer, NULL);
	assert_null(rcu_access_pointer(pointer));
	rcu_assign_pointer(pointer, &object);
	rcu_read_lock();
	assert_ptr_equal(rcu_dereference(pointer), &object);
	rcu_read_unlock();
	assert_ptr_equal(rcu_dereference_protected(pointer, true), &object);
	assert_ptr_equal(rcu_dereference_check(pointer, true), &object);
	assert_ptr_equal(rcu_dereference_raw(pointer), &object);
	rcu_assign_pointer(pointer, NULL);
	assert_null(rcu_access_pointer(pointer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_registered),
		cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_torture),
		cmocka_unit_test(test_waits_for_reader),
		cmocka_unit_test(test_barrier_concurrent),
		cmocka_unit_test(test_backlog),
		cmocka_unit_test(test_backlog_atomic),
		cmocka_unit_test(test_kfree_rcu),
	};
	int ret;

	test_start();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	kshim_thread_unregister();
	return ret;
}
