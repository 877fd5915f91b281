// SPDX-License-Identifier: GPL-2.0
/*
 * The lock-order validator: each kind of report, and none for correct code.
 * Without KSHIM_LOCKDEP: that it costs nothing.
 */
#include "conc.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <linux/completion.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>
#include <linux/wait_bit.h>

#ifdef KSHIM_LOCKDEP

static unsigned long reports_before;

static unsigned long new_reports(void)
{
	unsigned long old = reports_before;

	reports_before = kshim_lockdep_reports();
	return reports_before - old;
}

/* Exactly @n reports since the last time. */
#define assert_reports(n)	assert_int_equal(new_reports(), n)

/* Two threads' worth of locking, in one thread: only the order matters. */
static void lock_both(struct mutex *first, struct mutex *second)
{
	mutex_lock(first);
	mutex_lock(second);
	mutex_unlock(second);
	mutex_unlock(first);
}

static void test_inversion(void **state)
{
	static DEFINE_MUTEX(a);
	static DEFINE_MUTEX(b);

	(void)state;
	lock_both(&a, &b);
	lock_both(&a, &b);
	assert_reports(0);
	lock_both(&b, &a);
	assert_reports(1);
	/* The graph has the first order only. */
	lock_both(&a, &b);
	assert_reports(0);
}

static void test_long_cycle(void **state)
{
	static DEFINE_MUTEX(a);
	static DEFINE_MUTEX(b);
	static DEFINE_MUTEX(c);
	static DEFINE_MUTEX(d);

	(void)state;
	lock_both(&a, &b);
	lock_both(&b, &c);
	lock_both(&c, &d);
	assert_reports(0);
	lock_both(&d, &a);
	assert_reports(1);
}

/* Of several kinds, by way of a lock taken in between; read locks count, too. */
static void test_mixed_cycle(void **state)
{
	static DECLARE_RWSEM(sem);
	static DEFINE_MUTEX(mutex);
	static DEFINE_SPINLOCK(spin);

	(void)state;
	down_read(&sem);
	mutex_lock(&mutex);
	spin_lock(&spin);
	spin_unlock(&spin);
	mutex_unlock(&mutex);
	up_read(&sem);
	assert_reports(0);
	mutex_lock(&mutex);
	down_read(&sem);
	up_read(&sem);
	mutex_unlock(&mutex);
	assert_reports(1);
	/* Sleeps under a spinlock as well: two reports. */
	spin_lock(&spin);
	down_write(&sem);
	up_write(&sem);
	spin_unlock(&spin);
	assert_reports(2);
}

/* Locks of the same class, in different objects. */
struct object {
	spinlock_t lock;
	struct rw_semaphore sem;
};

static void init_object(struct object *object)
{
	spin_lock_init(&object->lock);
	init_rwsem(&object->sem);
}

static void test_classes(void **state)
{
	static struct lock_class_key other;
	struct object x, y, z;

	(void)state;
	init_object(&x);
	init_object(&y);
	init_object(&z);

	/* What is learnt about x and y holds for z. */
	down_read(&x.sem);
	spin_lock(&y.lock);
	spin_unlock(&y.lock);
	up_read(&x.sem);
	assert_reports(0);
	spin_lock(&z.lock);
	assert_true(down_read_trylock(&z.sem));
	assert_reports(0);
	up_read(&z.sem);
	spin_unlock(&z.lock);

	/* Same class, not nested. */
	spin_lock(&x.lock);
	spin_lock(&y.lock);
	spin_unlock(&y.lock);
	assert_reports(1);
	spin_lock_nested(&y.lock, SINGLE_DEPTH_NESTING);
	spin_unlock(&y.lock);
	spin_unlock(&x.lock);
	assert_reports(0);
	/* Nested the other way round. */
	spin_lock_nested(&y.lock, SINGLE_DEPTH_NESTING);
	spin_lock(&x.lock);
	spin_unlock(&x.lock);
	spin_unlock(&y.lock);
	assert_reports(1);

	down_write(&x.sem);
	down_write_nested(&y.sem, SINGLE_DEPTH_NESTING);
	up_write(&y.sem);
	up_write(&x.sem);
	down_read(&x.sem);
	down_read_nested(&y.sem, 2);
	up_read(&y.sem);
	assert_reports(0);
	down_read(&y.sem);
	up_read(&y.sem);
	assert_reports(1);
	up_read(&x.sem);

	/* A class of its own, or a subclass of its own. */
	lockdep_set_class(&z.sem, &other);
	down_read(&x.sem);
	down_read(&z.sem);
	up_read(&z.sem);
	up_read(&x.sem);
	lockdep_set_subclass(&y.sem, 3);
	down_read(&x.sem);
	down_read(&y.sem);
	up_read(&y.sem);
	up_read(&x.sem);
	assert_reports(0);
	/* 3 + 5 */
	down_read_nested(&y.sem, 5);
	up_read(&y.sem);
	assert_reports(1);
}

static void test_recursion(void **state)
{
	static DECLARE_RWSEM(sem);

	(void)state;
	/* Works, unless a writer comes in between. */
	down_read(&sem);
	down_read(&sem);
	assert_reports(1);
	up_read(&sem);
	down_read_nested(&sem, SINGLE_DEPTH_NESTING);
	assert_reports(1);
	up_read(&sem);
	/* Does not wait. */
	assert_true(down_read_trylock(&sem));
	up_read(&sem);
	up_read(&sem);
	assert_reports(0);
}

/* A trylock adds no dependency; what is waited for under it does. */
static void test_trylock(void **state)
{
	static DEFINE_MUTEX(a);
	static DEFINE_MUTEX(b);

	(void)state;
	mutex_lock(&a);
	assert_true(mutex_trylock(&b));
	mutex_unlock(&b);
	mutex_unlock(&a);
	lock_both(&b, &a);
	mutex_lock(&a);
	assert_true(mutex_trylock(&b));
	mutex_unlock(&b);
	mutex_unlock(&a);
	assert_reports(0);

	assert_true(mutex_trylock(&a));
	mutex_lock(&b);
	mutex_unlock(&b);
	mutex_unlock(&a);
	assert_reports(1);
}

static void test_not_held(void **state)
{
	static DEFINE_SPINLOCK(spin);
	static DEFINE_MUTEX(mutex);
	static DECLARE_RWSEM(sem);
	static unsigned long word;

	(void)state;
	/* Only the report: an unlock of a free lock is no use. */
	kshim_lockdep_release(&spin.dep_map, &spin.dep_map);
	kshim_lockdep_release(&mutex.dep_map, &mutex.dep_map);
	kshim_lockdep_release(&sem.dep_map, &sem.dep_map);
	kshim_lockdep_downgrade(&sem.dep_map);
	assert_reports(4);
	/* Taken as a reader, released as if it was a writer's. */
	down_read(&sem);
	kshim_lockdep_downgrade(&sem.dep_map);
	assert_reports(1);
	up_read(&sem);
	/* For real. */
	word = 1;
	kshim_bit_unlock(&word, 0);
	assert_reports(1);
	rcu_read_unlock();
	assert_reports(1);
	assert_false(rcu_read_lock_held());
}

static void sleep_somehow(void)
{
	static DEFINE_MUTEX(mutex);
	static DECLARE_RWSEM(sem);
	static DECLARE_COMPLETION(done);
	static unsigned long word;

	mutex_lock(&mutex);
	assert_reports(1);
	mutex_unlock(&mutex);
	down_read(&sem);
	assert_reports(1);
	up_read(&sem);
	down_write(&sem);
	assert_reports(1);
	downgrade_write(&sem);
	up_read(&sem);
	kshim_bit_lock(&word, 0);
	assert_reports(1);
	kshim_bit_unlock(&word, 0);
	complete(&done);
	wait_for_completion(&done);
	assert_reports(1);
	cond_resched();
	assert_reports(1);
	might_sleep();
	assert_reports(1);
	schedule();
	assert_reports(1);

	/* These do not sleep. */
	assert_true(mutex_trylock(&mutex));
	mutex_unlock(&mutex);
	assert_true(down_write_trylock(&sem));
	up_write(&sem);
	assert_true(kshim_bit_trylock(&word, 0));
	kshim_bit_unlock(&word, 0);
	assert_false(try_wait_for_completion(&done));
	assert_reports(0);
}

static void test_sleep_in_atomic(void **state)
{
	/*
	 * Of its own class each: sleeping locks under a spinlock leave edges that
	 * have nothing to do with the next test.
	 */
	static DEFINE_SPINLOCK(spin);

	(void)state;
	spin_lock(&spin);
	sleep_somehow();
	/* Not in an RCU section: they would really wait for it. */
	synchronize_rcu();
	assert_reports(1);
	rcu_barrier();
	/* What it is made of may report as well. */
	assert_true(new_reports() >= 1);
	spin_unlock(&spin);

	rcu_read_lock();
	sleep_somehow();
	spin_lock(&spin);
	spin_unlock(&spin);
	rcu_read_unlock();
	might_sleep();
	cond_resched();
	assert_reports(0);
}

static DEFINE_MUTEX(left_mutex);

static void leave_mutex(struct test_thread *thread)
{
	(void)thread;
	mutex_lock(&left_mutex);
}

static void leave_nothing(struct test_thread *thread)
{
	(void)thread;
	mutex_lock(&left_mutex);
	mutex_unlock(&left_mutex);
}

static void test_thread_exit(void **state)
{
	struct test_thread thread;

	(void)state;
	start_thread(&thread, 0, leave_nothing);
	join_threads(&thread, 1);
	assert_reports(0);
	start_thread(&thread, 0, leave_mutex);
	join_threads(&thread, 1);
	assert_reports(1);
}

static void test_not_initialised(void **state)
{
	struct object object;

	(void)state;
	memset(&object, 0, sizeof(object));
	spin_lock(&object.lock);
	assert_reports(1);
	spin_unlock(&object.lock);
	spin_lock(&object.lock);
	spin_unlock(&object.lock);
	assert_reports(0);
}

static void test_asserts(void **state)
{
	static DEFINE_SPINLOCK(spin);
	static DECLARE_RWSEM(sem);
	static unsigned long word;
	static struct object *pointer;
	static seqcount_t seq = SEQCNT_ZERO(seq);

	(void)state;
	lockdep_assert_held(&spin);
	lockdep_assert_held(&sem);
	lockdep_assert_held_read(&sem);
	lockdep_assert_held_write(&sem);
	kshim_bit_assert_held(&word, 5);
	assert_reports(5);
	lockdep_assert_not_held(&spin);
	assert_reports(0);

	spin_lock(&spin);
	lockdep_assert_held(&spin);
	lockdep_assert_held_write(&spin);
	assert_true(lockdep_is_held(&spin));
	assert_reports(0);
	lockdep_assert_not_held(&spin);
	assert_reports(1);
	spin_unlock(&spin);

	down_read(&sem);
	lockdep_assert_held(&sem);
	lockdep_assert_held_read(&sem);
	assert_reports(0);
	lockdep_assert_held_write(&sem);
	assert_reports(1);
	up_read(&sem);

	down_write(&sem);
	lockdep_assert_held(&sem);
	lockdep_assert_held_write(&sem);
	assert_reports(0);
	lockdep_assert_held_read(&sem);
	assert_reports(1);
	downgrade_write(&sem);
	lockdep_assert_held_read(&sem);
	assert_reports(0);
	up_read(&sem);
	assert_int_equal(kshim_lockdep_depth(), 0);

	kshim_bit_lock(&word, 5);
	kshim_bit_assert_held(&word, 5);
	assert_reports(0);
	kshim_bit_assert_held(&word, 6);
	assert_reports(1);
	kshim_bit_unlock(&word, 5);

	(void)rcu_dereference(pointer);
	(void)rcu_dereference_protected(pointer, lockdep_is_held(&sem));
	assert_reports(2);
	(void)rcu_access_pointer(pointer);
	(void)rcu_dereference_check(pointer, true);
	rcu_read_lock();
	(void)rcu_dereference(pointer);
	rcu_read_unlock();
	down_read(&sem);
	(void)rcu_dereference_protected(pointer, lockdep_is_held(&sem));
	up_read(&sem);
	assert_reports(0);

	/* A writer that readers may wait for must not sleep. */
	write_seqcount_begin(&seq);
	write_seqcount_end(&seq);
	assert_reports(1);
	spin_lock(&spin);
	write_seqcount_begin(&seq);
	write_seqcount_end(&seq);
	spin_unlock(&spin);
	raw_write_seqcount_begin(&seq);
	raw_write_seqcount_end(&seq);
	assert_reports(0);
}

static void test_bit_locks(void **state)
{
	static unsigned long x, y;

	(void)state;
	kshim_bit_lock(&x, 0);
	kshim_bit_lock(&y, 0);
	assert_reports(1);
	kshim_bit_unlock(&y, 0);
	kshim_bit_lock_nested(&y, 0, SINGLE_DEPTH_NESTING);
	/* Not in the order that they were taken in. */
	kshim_bit_unlock(&x, 0);
	kshim_bit_unlock(&y, 0);
	assert_reports(0);
}

/* -- correct code ------------------------------------------------------------------- */

#define NR_LEVELS	5

static struct mutex levels[NR_LEVELS];
static struct object objects[3];
static u64 deadline;

/* Random locks, always downwards. */
static void correct_thread(struct test_thread *thread)
{
	unsigned int first, second, i;

	while (now_ns() < deadline) {
		first = rnd(&thread->rnd) % (NR_LEVELS - 1);
		second = first + 1 + rnd(&thread->rnd) % (NR_LEVELS - 1 - first);
		i = rnd(&thread->rnd) % 3;
		mutex_lock(&levels[first]);
		mutex_lock(&levels[second]);
		down_read(&objects[i].sem);
		if (i < 2) {
			down_write_nested(&objects[i + 1].sem, SINGLE_DEPTH_NESTING);
			spin_lock(&objects[i].lock);
			rcu_read_lock();
			spin_lock_nested(&objects[i + 1].lock, SINGLE_DEPTH_NESTING);
			lockdep_assert_held(&objects[i].lock);
			spin_unlock(&objects[i].lock);
			spin_unlock(&objects[i + 1].lock);
			rcu_read_unlock();
			downgrade_write(&objects[i + 1].sem);
			up_read(&objects[i + 1].sem);
		}
		/* Not in the reverse order. */
		mutex_unlock(&levels[first]);
		up_read(&objects[i].sem);
		mutex_unlock(&levels[second]);
		/* Upwards, but it does not wait. */
		if (mutex_trylock(&levels[second])) {
			if (mutex_trylock(&levels[first]))
				mutex_unlock(&levels[first]);
			mutex_unlock(&levels[second]);
		}
	}
}

static void test_correct(void **state)
{
	static struct lock_class_key level_keys[NR_LEVELS];
	struct test_thread threads[NR_THREADS];
	int i;

	(void)state;
	for (i = 0; i < NR_LEVELS; i++) {
		mutex_init(&levels[i]);
		lockdep_set_class(&levels[i], &level_keys[i]);
	}
	for (i = 0; i < 3; i++)
		init_object(&objects[i]);
	deadline = now_ns() + 300000000ULL;
	start_threads(threads, NR_THREADS, correct_thread);
	join_threads(threads, NR_THREADS);
	assert_reports(0);
	assert_int_equal(kshim_lockdep_depth(), 0);
}

/* -- the report ---------------------------------------------------------------------- */

static void invert(void)
{
	static DEFINE_MUTEX(first_lock);
	static DEFINE_MUTEX(middle_lock);
	static DEFINE_MUTEX(last_lock);
	static DEFINE_MUTEX(other_lock);

	lock_both(&first_lock, &middle_lock);
	lock_both(&middle_lock, &last_lock);
	mutex_lock(&other_lock);
	lock_both(&last_lock, &first_lock);
}

/* By default a report ends the process, having named the locks of both chains. */
static void test_fatal(void **state)
{
	const struct rlimit no_core = { 0, 0 };
	char text[8192];
	size_t len = 0;
	ssize_t n;
	int fds[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		dup2(fds[1], STDERR_FILENO);
		kshim_lockdep_set_fatal(true);
		invert();
		_exit(0);
	}
	assert_true(pid > 0);
	close(fds[1]);
	while (len < sizeof(text) - 1 &&
	       (n = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += n;
	text[len] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(strstr(text, "waits for first_lock, and holds last_lock"));
	assert_non_null(strstr(text, "first_lock -> middle_lock -> last_lock"));
	assert_non_null(strstr(text, "holds: other_lock("));
}

static int quiet(void **state)
{
	(void)state;
	/* The reports of these tests are wanted, but nobody wants to read them. */
	assert_non_null(freopen("/dev/null", "w", stderr));
	kshim_lockdep_set_fatal(false);
	return 0;
}

#define LOCKDEP_TESTS						\
	cmocka_unit_test(test_inversion),			\
	cmocka_unit_test(test_long_cycle),			\
	cmocka_unit_test(test_mixed_cycle),			\
	cmocka_unit_test(test_classes),				\
	cmocka_unit_test(test_recursion),			\
	cmocka_unit_test(test_trylock),				\
	cmocka_unit_test(test_not_held),			\
	cmocka_unit_test(test_sleep_in_atomic),			\
	cmocka_unit_test(test_thread_exit),			\
	cmocka_unit_test(test_not_initialised),			\
	cmocka_unit_test(test_asserts),				\
	cmocka_unit_test(test_bit_locks),			\
	cmocka_unit_test(test_correct),				\
	cmocka_unit_test(test_fatal)

#else

static int evaluated;

static __maybe_unused bool evaluate(void)
{
	evaluated++;
	return false;
}

/* Assertions compile, and that is all. */
static void test_off(void **state)
{
	static DEFINE_SPINLOCK(spin);
	static DECLARE_RWSEM(sem);
	static struct lock_class_key key;
	static int *pointer;

	(void)state;
	lockdep_assert(evaluate());
	lockdep_assert_held((evaluate(), &spin));
	lockdep_assert_held_write((evaluate(), &sem));
	lockdep_assert_held_read((evaluate(), &sem));
	lockdep_assert_not_held((evaluate(), &sem));
	(void)rcu_dereference_protected(pointer, evaluate());
	(void)rcu_dereference_check(pointer, evaluate());
	lockdep_set_class(&sem, &key);
	assert_int_equal(evaluated, 0);
	assert_int_equal(sizeof(struct lock_class_key), 0);
	assert_int_equal(sizeof(spinlock_t), 4);
	assert_int_equal(sizeof(struct mutex), 4);
	assert_true(sizeof(struct rw_semaphore) <= 40);
}

static int quiet(void **state)
{
	(void)state;
	return 0;
}

#define LOCKDEP_TESTS	cmocka_unit_test(test_off)

#endif

int main(void)
{
	const struct CMUnitTest tests[] = { LOCKDEP_TESTS };
	int ret;

	test_start();
	ret = cmocka_run_group_tests(tests, quiet, NULL);
	kshim_thread_unregister();
	return ret;
}
