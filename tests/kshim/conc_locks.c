// SPDX-License-Identifier: GPL-2.0
/* Atomics, reference counts, and all kinds of locks. */
#include "conc.h"

#include <linux/completion.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>
#include <linux/wait_bit.h>

#define TORTURE_NS	300000000ULL

static u64 deadline;
static atomic_t errors;
static bool stop;

static void torture(void (*fn)(struct test_thread *thread))
{
	struct test_thread threads[NR_THREADS];

	atomic_set(&errors, 0);
	deadline = now_ns() + TORTURE_NS;
	start_threads(threads, NR_THREADS, fn);
	join_threads(threads, NR_THREADS);
	assert_int_equal(atomic_read(&errors), 0);
}

static void error_if(bool wrong)
{
	if (wrong)
		atomic_inc(&errors);
}

/* -- atomics ---------------------------------------------------------------- */

#define TEST_ATOMIC(pfx, T, I, min)					\
static void test_##pfx(void **state)					\
{									\
	T v = { 5 };							\
	I old;								\
									\
	(void)state;							\
	assert_true(pfx##_read(&v) == 5);				\
	pfx##_add(3, &v);						\
	pfx##_sub(1, &v);						\
	pfx##_inc(&v);							\
	pfx##_dec(&v);							\
	assert_true(pfx##_read_acquire(&v) == 7);			\
	assert_true(pfx##_add_return(3, &v) == 10);			\
	assert_true(pfx##_sub_return(4, &v) == 6);			\
	assert_true(pfx##_inc_return(&v) == 7);				\
	assert_true(pfx##_dec_return(&v) == 6);				\
	assert_true(pfx##_fetch_add(2, &v) == 6);			\
	assert_true(pfx##_fetch_sub(3, &v) == 8);			\
	assert_true(pfx##_fetch_inc(&v) == 5);				\
	assert_true(pfx##_fetch_dec(&v) == 6);				\
	assert_true(pfx##_xchg(&v, 12) == 5);				\
	pfx##_or(3, &v);						\
	assert_true(pfx##_read(&v) == 15);				\
	pfx##_and(6, &v);						\
	assert_true(pfx##_fetch_or(9, &v) == 6);			\
	assert_true(pfx##_fetch_andnot(3, &v) == 15);			\
	assert_true(pfx##_fetch_xor(5, &v) == 12);			\
	assert_true(pfx##_fetch_and(8, &v) == 9);			\
	pfx##_xor(1, &v);						\
	pfx##_andnot(8, &v);						\
	assert_true(pfx##_read(&v) == 1);				\
									\
	assert_true(pfx##_cmpxchg(&v, 2, 3) == 1);			\
	assert_true(pfx##_cmpxchg(&v, 1, 3) == 1);			\
	old = 1;							\
	assert_false(pfx##_try_cmpxchg(&v, &old, 4));			\
	assert_true(old == 3);						\
	assert_true(pfx##_try_cmpxchg(&v, &old, 4));			\
	assert_true(pfx##_read(&v) == 4 && old == 3);			\
									\
	pfx##_set_release(&v, 2);					\
	assert_false(pfx##_dec_and_test(&v));				\
	assert_true(pfx##_dec_and_test(&v));				\
	assert_false(pfx##_inc_not_zero(&v));				\
	assert_false(pfx##_add_unless(&v, 3, 0));			\
	assert_true(pfx##_add_unless(&v, 3, 1));			\
	assert_true(pfx##_inc_not_zero(&v));				\
	assert_true(pfx##_fetch_add_unless(&v, 1, 4) == 4);		\
	assert_true(pfx##_read(&v) == 4);				\
	assert_true(pfx##_sub_and_test(4, &v));				\
	assert_true(pfx##_dec_unless_positive(&v));			\
	assert_true(pfx##_read(&v) == -1);				\
	assert_false(pfx##_inc_unless_negative(&v));			\
	assert_true(pfx##_inc_and_test(&v));				\
	assert_true(pfx##_inc_unless_negative(&v));			\
	assert_false(pfx##_dec_unless_positive(&v));			\
	assert_true(pfx##_dec_if_positive(&v) == 0);			\
	assert_true(pfx##_dec_if_positive(&v) == -1);			\
	assert_true(pfx##_read(&v) == 0);				\
	assert_true(pfx##_add_negative(-1, &v));			\
	assert_false(pfx##_add_negative(1, &v));			\
									\
	/* Arithmetic wraps. */						\
	pfx##_set(&v, min);						\
	assert_true(pfx##_dec_return(&v) == ~(min));			\
	assert_true(pfx##_add_unless(&v, 1, 0));			\
	assert_true(pfx##_read(&v) == min);				\
}

TEST_ATOMIC(atomic, atomic_t, int, INT_MIN)
TEST_ATOMIC(atomic64, atomic64_t, s64, (s64)INT64_MIN)
TEST_ATOMIC(atomic_long, atomic_long_t, long, LONG_MIN)

static void test_plain_cmpxchg(void **state)
{
	u8 byte = 1;
	unsigned short half = 1;
	unsigned long word = 1;
	int x = 0, *p = NULL, *old = NULL;

	(void)state;
	assert_int_equal(cmpxchg(&byte, 1, 200), 1);
	assert_int_equal(cmpxchg(&byte, 1, 3), 200);
	assert_int_equal(xchg(&half, 7), 1);
	assert_int_equal(half, 7);
	assert_int_equal(xchg_relaxed(&word, 5), 1);
	assert_int_equal(cmpxchg_acquire(&word, 5, 6), 5);
	assert_int_equal(cmpxchg_release(&word, 5, 7), 6);
	assert_int_equal(word, 6);
	assert_null(cmpxchg(&p, NULL, &x));
	assert_false(try_cmpxchg(&p, &old, NULL));
	assert_ptr_equal(old, &x);
	assert_true(try_cmpxchg(&p, &old, NULL));
	assert_null(p);
}

static atomic_t shared_int;
static atomic64_t shared_64;
static unsigned long shared_plain;

#define ATOMIC_ROUNDS	20000

static void atomic_thread(struct test_thread *thread)
{
	unsigned long old;
	int i;

	(void)thread;
	for (i = 0; i < ATOMIC_ROUNDS; i++) {
		atomic_inc(&shared_int);
		atomic64_add_unless(&shared_64, 2, 1);
		old = READ_ONCE(shared_plain);
		while (!try_cmpxchg(&shared_plain, &old, old + 3))
			;
	}
}

/* No update gets lost. */
static void test_atomic_concurrent(void **state)
{
	(void)state;
	torture(atomic_thread);
	assert_int_equal(atomic_read(&shared_int), NR_THREADS * ATOMIC_ROUNDS);
	assert_int_equal(atomic64_read(&shared_64), NR_THREADS * ATOMIC_ROUNDS * 2);
	assert_int_equal(shared_plain, NR_THREADS * ATOMIC_ROUNDS * 3);
}

/*
 * Store buffering: each of two threads stores to its own variable and then loads
 * the other's. With a full barrier in between, at least one of them sees the
 * other's store. (Without, x86 fails this in some of the rounds.)
 */
#define SB_ROUNDS	50000

static struct {
	int ready ____cacheline_aligned;
	int value ____cacheline_aligned;
	bool seen[SB_ROUNDS + 1];	/* did this thread see the other's store? */
} sb[2];
static bool sb_by_atomic;

static void sb_thread(struct test_thread *thread)
{
	unsigned int me = thread->nr, spins;
	atomic_t local = ATOMIC_INIT(0);
	int i;

	for (i = 1; i <= SB_ROUNDS; i++) {
		smp_store_release(&sb[me].ready, i);
		for (spins = 0; smp_load_acquire(&sb[!me].ready) < i; spins++)
			if (spins > 1000)
				sched_yield();

		WRITE_ONCE(sb[me].value, i);
		if (sb_by_atomic)
			atomic_inc_return(&local);
		else
			smp_mb();
		sb[me].seen[i] = READ_ONCE(sb[!me].value) >= i;
	}
}

static void test_full_barrier(void **state)
{
	struct test_thread threads[2];
	int by_atomic, i, bad = 0;

	(void)state;
	for (by_atomic = 0; by_atomic < 2; by_atomic++) {
		sb_by_atomic = by_atomic;
		for (i = 0; i < 2; i++)
			sb[i].ready = sb[i].value = 0;
		start_threads(threads, 2, sb_thread);
		join_threads(threads, 2);
		for (i = 1; i <= SB_ROUNDS; i++)
			bad += !sb[0].seen[i] && !sb[1].seen[i];
	}
	assert_int_equal(bad, 0);
}

/* -- reference counts --------------------------------------------------------- */

static bool is_saturated(const refcount_t *r)
{
	return (int)refcount_read(r) == REFCOUNT_SATURATED;
}

static void test_refcount(void **state)
{
	refcount_t r = REFCOUNT_INIT(1);
	unsigned long warnings;

	(void)state;
	refcount_inc(&r);
	assert_int_equal(refcount_read(&r), 2);
	assert_true(refcount_inc_not_zero(&r));
	refcount_dec(&r);
	assert_false(refcount_dec_and_test(&r));
	assert_true(refcount_dec_and_test(&r));
	assert_false(refcount_inc_not_zero(&r));
	assert_int_equal(kshim_warn_count(), 0);

	/* Raised from 0. */
	refcount_inc(&r);
	assert_true(is_saturated(&r));
	assert_int_equal(kshim_warn_count(), 1);
	/* Saturated: nothing brings it back, and nobody frees. */
	assert_false(refcount_dec_and_test(&r));
	assert_true(refcount_inc_not_zero(&r));
	refcount_inc(&r);
	assert_true(is_saturated(&r));

	warnings = kshim_warn_count();
	refcount_set(&r, 0);
	assert_false(refcount_dec_and_test(&r));
	assert_true(is_saturated(&r));

	refcount_set(&r, 1);
	refcount_dec(&r);
	assert_true(is_saturated(&r));
	assert_true(kshim_warn_count() > warnings);

	refcount_set(&r, REFCOUNT_MAX);
	refcount_inc(&r);
	assert_true(is_saturated(&r));
	refcount_set(&r, REFCOUNT_MAX);
	assert_true(refcount_inc_not_zero(&r));
	assert_true(is_saturated(&r));
	kshim_warn_reset();
}

/* -- spinlock and mutex --------------------------------------------------------- */

static DEFINE_SPINLOCK(spin);
static DEFINE_MUTEX(mutex);
/* Under the lock in question; not atomic on purpose. */
static unsigned long counter, shadow;
static atomic_long_t expected;

static void change_counter(void)
{
	error_if(counter != shadow);
	counter++;
	shadow++;
	atomic_long_inc(&expected);
}

static void spin_thread(struct test_thread *thread)
{
	while (now_ns() < deadline) {
		if (rnd(&thread->rnd) % 4) {
			spin_lock(&spin);
		} else if (!spin_trylock(&spin)) {
			continue;
		}
		error_if(!spin_is_locked(&spin));
		change_counter();
		spin_unlock(&spin);
	}
}

static void test_spinlock(void **state)
{
	(void)state;
#ifndef KSHIM_LOCKDEP
	assert_int_equal(sizeof(spinlock_t), 4);
#endif
	counter = shadow = 0;
	atomic_long_set(&expected, 0);
	torture(spin_thread);
	assert_int_equal(counter, atomic_long_read(&expected));
	assert_false(spin_is_locked(&spin));
	assert_int_equal(kshim_spin_depth, 0);

	spin_lock(&spin);
	assert_false(spin_trylock(&spin));
	assert_int_equal(kshim_spin_depth, 1);
	assert_spin_locked(&spin);
	spin_unlock(&spin);
}

static void mutex_thread(struct test_thread *thread)
{
	while (now_ns() < deadline) {
		if (rnd(&thread->rnd) % 4)
			mutex_lock(&mutex);
		else if (!mutex_trylock(&mutex))
			continue;
		error_if(!mutex_is_locked(&mutex));
		change_counter();
		/* Others must sleep, and be woken. */
		if (rnd(&thread->rnd) % 256 == 0)
			sleep_us(50);
		mutex_unlock(&mutex);
	}
}

static void test_mutex(void **state)
{
	(void)state;
	counter = shadow = 0;
	atomic_long_set(&expected, 0);
	torture(mutex_thread);
	assert_int_equal(counter, atomic_long_read(&expected));
	assert_false(mutex_is_locked(&mutex));

	mutex_lock(&mutex);
	assert_false(mutex_trylock(&mutex));
	mutex_unlock(&mutex);
}

/* -- rwsem ------------------------------------------------------------------------ */

static DECLARE_RWSEM(rwsem);
static atomic_t readers_in, writers_in;

static void read_section(u64 *state)
{
	unsigned long seen;

	atomic_inc(&readers_in);
	error_if(atomic_read(&writers_in));
	seen = counter;
	error_if(seen != shadow);
	if (rnd(state) % 64 == 0)
		sleep_us(20);
	error_if(counter != seen);
	error_if(atomic_read(&writers_in));
	atomic_dec(&readers_in);
}

static void write_section(u64 *state)
{
	error_if(atomic_inc_return(&writers_in) != 1);
	error_if(atomic_read(&readers_in));
	change_counter();
	if (rnd(state) % 64 == 0)
		sleep_us(20);
	error_if(atomic_read(&readers_in));
	atomic_dec(&writers_in);
}

static void rwsem_thread(struct test_thread *thread)
{
	while (now_ns() < deadline) {
		switch (rnd(&thread->rnd) % 8) {
		case 0 ... 2:
			down_read(&rwsem);
			read_section(&thread->rnd);
			up_read(&rwsem);
			break;
		case 3:
			if (!down_read_trylock(&rwsem))
				break;
			read_section(&thread->rnd);
			up_read(&rwsem);
			break;
		case 4 ... 5:
			down_write(&rwsem);
			write_section(&thread->rnd);
			up_write(&rwsem);
			break;
		case 6:
			if (!down_write_trylock(&rwsem))
				break;
			write_section(&thread->rnd);
			up_write(&rwsem);
			break;
		default:
			down_write(&rwsem);
			write_section(&thread->rnd);
			downgrade_write(&rwsem);
			read_section(&thread->rnd);
			up_read(&rwsem);
			break;
		}
	}
}

static void test_rwsem_exclusion(void **state)
{
	(void)state;
#ifndef KSHIM_LOCKDEP
	assert_true(sizeof(struct rw_semaphore) <= 40);
#endif
	counter = shadow = 0;
	atomic_long_set(&expected, 0);
	torture(rwsem_thread);
	assert_int_equal(counter, atomic_long_read(&expected));
	assert_int_equal(rwsem.count, 0);
	assert_null(rwsem.head);
}

static void test_rwsem_trylock(void **state)
{
	(void)state;
	assert_false(rwsem_is_locked(&rwsem));
	down_read(&rwsem);
	assert_true(rwsem_is_locked(&rwsem));
	assert_false(down_write_trylock(&rwsem));
	assert_int_equal(down_read_trylock(&rwsem), 1);
	up_read(&rwsem);
	assert_false(down_write_trylock(&rwsem));
	up_read(&rwsem);
	assert_int_equal(down_write_trylock(&rwsem), 1);
	assert_false(down_read_trylock(&rwsem));
	assert_false(down_write_trylock(&rwsem));
	downgrade_write(&rwsem);
	assert_int_equal(down_read_trylock(&rwsem), 1);
	assert_false(down_write_trylock(&rwsem));
	up_read(&rwsem);
	up_read(&rwsem);
	assert_false(rwsem_is_locked(&rwsem));
}

static atomic_t order;
static int write_order, read_order;

static void queued_writer(struct test_thread *thread)
{
	(void)thread;
	down_write(&rwsem);
	WRITE_ONCE(write_order, atomic_inc_return(&order));
	/* Long enough for a reader who got in as well to be noticed. */
	sleep_us(2000);
	error_if(READ_ONCE(read_order));
	up_write(&rwsem);
}

static void queued_reader(struct test_thread *thread)
{
	(void)thread;
	down_read(&rwsem);
	WRITE_ONCE(read_order, atomic_inc_return(&order));
	up_read(&rwsem);
}

/*
 * A queued writer blocks new readers: a recursive read lock would deadlock.
 * (While threads run, failures are counted: an assertion would leave them alone.)
 */
static void test_rwsem_writer_first(void **state)
{
	struct test_thread writer, reader;

	(void)state;
	atomic_set(&errors, 0);
	atomic_set(&order, 0);
	write_order = read_order = 0;

	down_read(&rwsem);
	start_thread(&writer, 0, queued_writer);
	error_if(!wait_until(rwsem_is_contended(&rwsem)));
	if (down_read_trylock(&rwsem)) {
		error_if(true);
		up_read(&rwsem);
	}
	start_thread(&reader, 1, queued_reader);
	sleep_us(20000);
	error_if(atomic_read(&order));
	up_read(&rwsem);
	join_threads(&writer, 1);
	join_threads(&reader, 1);
	assert_int_equal(atomic_read(&errors), 0);
	assert_int_equal(write_order, 1);
	assert_int_equal(read_order, 2);
}

static atomic_t about_to_read;

static void hold_read(struct test_thread *thread)
{
	(void)thread;
	atomic_inc(&about_to_read);
	down_read(&rwsem);
	atomic_inc(&readers_in);
	while (!READ_ONCE(stop))
		sleep_us(100);
	atomic_dec(&readers_in);
	up_read(&rwsem);
}

/* Downgrade lets all queued readers in, and no writer. */
static void test_rwsem_downgrade(void **state)
{
	struct test_thread readers[3], writer;

	(void)state;
	atomic_set(&errors, 0);
	atomic_set(&order, 0);
	atomic_set(&about_to_read, 0);
	write_order = read_order = 0;
	WRITE_ONCE(stop, false);

	down_write(&rwsem);
	start_threads(readers, 3, hold_read);
	error_if(!wait_until(atomic_read(&about_to_read) == 3));
	sleep_us(50000);
	error_if(!rwsem_is_contended(&rwsem));
	start_thread(&writer, 3, queued_writer);
	sleep_us(20000);
	error_if(atomic_read(&readers_in));

	downgrade_write(&rwsem);
	error_if(!wait_until(atomic_read(&readers_in) == 3));
	error_if(!wait_until(rwsem_is_contended(&rwsem)));
	error_if(atomic_read(&order));
	up_read(&rwsem);
	sleep_us(5000);
	error_if(atomic_read(&order));
	WRITE_ONCE(stop, true);
	join_threads(readers, 3);
	join_threads(&writer, 1);
	assert_int_equal(atomic_read(&errors), 0);
	assert_int_equal(write_order, 1);
	assert_false(rwsem_is_locked(&rwsem));
}

/*
 * Progress, by how often others get the lock while one thread waits for it. Time
 * would depend on the load of the machine. So do single rounds: the thread may be
 * preempted before it is in the queue.
 */
#define PROGRESS_ROUNDS	50
#define PROGRESS_MAX	(20 * NR_THREADS)	/* in most rounds */

static atomic_long_t acquired;

/* Lock again and again, so that with several of these it is always locked. */
static void busy_reader(struct test_thread *thread)
{
	(void)thread;
	while (!READ_ONCE(stop) && now_ns() < deadline) {
		down_read(&rwsem);
		atomic_long_inc(&acquired);
		sleep_us(1000);
		up_read(&rwsem);
	}
}

static void busy_writer(struct test_thread *thread)
{
	u64 end;

	(void)thread;
	while (!READ_ONCE(stop) && now_ns() < deadline) {
		down_write(&rwsem);
		atomic_long_inc(&acquired);
		/* Keeps the processor: the thread to be woken does not get it. */
		for (end = now_ns() + 50000; now_ns() < end; )
			cpu_relax();
		up_write(&rwsem);
	}
}

static void progress(void (*fn)(struct test_thread *thread), bool write)
{
	struct test_thread threads[NR_THREADS];
	int rounds = 0, late = 0;
	long before;

	WRITE_ONCE(stop, false);
	/* Starvation ends then. */
	deadline = now_ns() + 4000000000ULL;
	start_threads(threads, NR_THREADS, fn);
	sleep_us(5000);
	while (rounds < PROGRESS_ROUNDS && now_ns() < deadline) {
		before = atomic_long_read(&acquired);
		if (write)
			down_write(&rwsem);
		else
			down_read(&rwsem);
		late += atomic_long_read(&acquired) - before > PROGRESS_MAX;
		rounds++;
		if (write)
			up_write(&rwsem);
		else
			up_read(&rwsem);
	}
	WRITE_ONCE(stop, true);
	join_threads(threads, NR_THREADS);
	assert_true(rounds > 2);
	assert_true(late * 2 <= rounds);
}

static void test_rwsem_writer_progress(void **state)
{
	(void)state;
	progress(busy_reader, true);
}

static void test_rwsem_reader_progress(void **state)
{
	(void)state;
	progress(busy_writer, false);
}

/* Writers do not starve each other either. */
static void test_rwsem_writers_progress(void **state)
{
	(void)state;
	progress(busy_writer, true);
}

/* -- the next owner may free the lock --------------------------------------------- */

/*
 * Two threads per object. The first holds the lock until the second waits for
 * it; the second frees the object as soon as it has had the lock. Both are on one
 * processor, where a thread that is woken usually runs at once: so the first is
 * still in its unlock then, and AddressSanitizer tells if that touches the lock.
 */
struct shared_object {
	spinlock_t spin;
	struct mutex mutex;
	struct rw_semaphore rwsem;
	unsigned long word;
	struct completion done;
};

enum { BY_SPIN, BY_MUTEX, WRITE_WRITE, READ_WRITE, WRITE_READ, BY_BIT, BY_COMPLETION, NR_BY };

#define FREE_ROUNDS	300

static struct shared_object *current_object;
static struct completion round_start, round_end;

static void lock_object(struct shared_object *object, int by, bool first)
{
	switch (by) {
	case BY_SPIN:
		spin_lock(&object->spin);
		break;
	case BY_MUTEX:
		mutex_lock(&object->mutex);
		break;
	case WRITE_WRITE:
		down_write(&object->rwsem);
		break;
	case READ_WRITE:
	case WRITE_READ:
		if (first == (by == READ_WRITE))
			down_read(&object->rwsem);
		else
			down_write(&object->rwsem);
		break;
	case BY_BIT:
		kshim_bit_lock(&object->word, 3);
		break;
	case BY_COMPLETION:
		if (!first)
			wait_for_completion(&object->done);
		break;
	}
}

static void unlock_object(struct shared_object *object, int by, bool first)
{
	switch (by) {
	case BY_SPIN:
		spin_unlock(&object->spin);
		break;
	case BY_MUTEX:
		mutex_unlock(&object->mutex);
		break;
	case WRITE_WRITE:
		up_write(&object->rwsem);
		break;
	case READ_WRITE:
	case WRITE_READ:
		if (first == (by == READ_WRITE))
			up_read(&object->rwsem);
		else
			up_write(&object->rwsem);
		break;
	case BY_BIT:
		kshim_bit_unlock(&object->word, 3);
		break;
	case BY_COMPLETION:
		if (first)
			complete(&object->done);
		break;
	}
}

static void on_one_processor(void)
{
	cpu_set_t set;
	int cpu = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		return;
	while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &set))
		cpu++;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	/* Where this is not allowed, the test is weaker. */
	sched_setaffinity(0, sizeof(set), &set);
}

static void free_thread(struct test_thread *thread)
{
	struct shared_object *object;
	bool first = !thread->nr;
	int by, i;

	on_one_processor();
	for (by = 0; by < NR_BY; by++) {
		for (i = 0; i < FREE_ROUNDS; i++) {
			if (!first) {
				wait_for_completion(&round_start);
				object = current_object;
				lock_object(object, by, false);
				unlock_object(object, by, false);
				free(object);
				complete(&round_end);
				continue;
			}

			object = calloc(1, sizeof(*object));
			spin_lock_init(&object->spin);
			mutex_init(&object->mutex);
			init_rwsem(&object->rwsem);
			init_completion(&object->done);
			current_object = object;
			lock_object(object, by, true);
			complete(&round_start);
			sleep_us(20);
			unlock_object(object, by, true);
			wait_for_completion(&round_end);
		}
	}
}

static void test_unlock_then_free(void **state)
{
	struct test_thread threads[2];

	(void)state;
	start_threads(threads, 2, free_thread);
	join_threads(threads, 2);
}

/* -- sequence counts ---------------------------------------------------------------- */

static seqcount_t seqcount = SEQCNT_ZERO(seqcount);
static unsigned long seq_data[8];
static atomic_long_t seq_good;

static void seq_writer(struct test_thread *thread)
{
	unsigned long value;
	int i;

	while (now_ns() < deadline) {
		value = rnd(&thread->rnd);
		spin_lock(&spin);
		write_seqcount_begin(&seqcount);
		for (i = 0; i < 8; i++)
			WRITE_ONCE(seq_data[i], value + i);
		write_seqcount_end(&seqcount);
		spin_unlock(&spin);
		/* Leave readers a chance. */
		for (i = 0; i < 50; i++)
			cpu_relax();
	}
}

static void seq_reader(struct test_thread *thread)
{
	unsigned long copy[8];
	unsigned int seq;
	int i;

	while (now_ns() < deadline) {
		if (rnd(&thread->rnd) % 2)
			seq = read_seqcount_begin(&seqcount);
		else
			seq = raw_seqcount_begin(&seqcount);
		for (i = 0; i < 8; i++)
			copy[i] = READ_ONCE(seq_data[i]);
		if (read_seqcount_retry(&seqcount, seq))
			continue;
		for (i = 1; i < 8; i++)
			error_if(copy[i] != copy[0] + i);
		atomic_long_inc(&seq_good);
	}
}

static void seq_thread(struct test_thread *thread)
{
	if (thread->nr < 2)
		seq_writer(thread);
	else
		seq_reader(thread);
}

static void test_seqcount(void **state)
{
	unsigned int seq;
	int i;

	(void)state;
	seq = read_seqcount_begin(&seqcount);
	assert_false(read_seqcount_retry(&seqcount, seq));
	raw_write_seqcount_begin(&seqcount);
	assert_true(read_seqcount_retry(&seqcount, seq));
	assert_int_equal(raw_read_seqcount(&seqcount), seq + 1);
	/* Does not wait, and fails. */
	seq = raw_seqcount_begin(&seqcount);
	assert_true(read_seqcount_retry(&seqcount, seq));
	raw_write_seqcount_end(&seqcount);
	assert_true(read_seqcount_retry(&seqcount, seq));
	assert_int_equal(raw_read_seqcount(&seqcount) & 1, 0);

	for (i = 0; i < 8; i++)
		seq_data[i] = i;
	atomic_long_set(&seq_good, 0);
	torture(seq_thread);
	assert_true(atomic_long_read(&seq_good) > 0);

	seqcount_init(&seqcount);
	assert_int_equal(raw_read_seqcount(&seqcount), 0);
}

static void seq_waiter(struct test_thread *thread)
{
	unsigned int seq;

	(void)thread;
	seq = read_seqcount_begin(&seqcount);
	error_if(seq & 1);
	error_if(!READ_ONCE(stop));
}

/* read_seqcount_begin() waits for the writer. */
static void test_seqcount_wait(void **state)
{
	struct test_thread waiter;

	(void)state;
	atomic_set(&errors, 0);
	WRITE_ONCE(stop, false);
	raw_write_seqcount_begin(&seqcount);
	start_thread(&waiter, 0, seq_waiter);
	sleep_us(10000);
	WRITE_ONCE(stop, true);
	raw_write_seqcount_end(&seqcount);
	join_threads(&waiter, 1);
	assert_int_equal(atomic_read(&errors), 0);
}

/* -- bit locks --------------------------------------------------------------------- */

#define NR_WORDS	3

static unsigned long words[NR_WORDS];
static unsigned long bit_counters[NR_WORDS], bit_shadows[NR_WORDS];
static atomic_long_t bit_expected, other_bits;

static void bit_thread(struct test_thread *thread)
{
	unsigned int i;

	while (now_ns() < deadline) {
		i = rnd(&thread->rnd) % NR_WORDS;
		if (rnd(&thread->rnd) % 4)
			kshim_bit_lock(&words[i], i);
		else if (!kshim_bit_trylock(&words[i], i))
			continue;
		error_if(!kshim_bit_is_locked(&words[i], i));
		error_if(bit_counters[i] != bit_shadows[i]);
		bit_counters[i]++;
		bit_shadows[i]++;
		atomic_long_inc(&bit_expected);
		if (rnd(&thread->rnd) % 256 == 0)
			sleep_us(50);
		kshim_bit_unlock(&words[i], i);

		/* The other bits of the word are somebody else's. */
		if (!(__atomic_fetch_xor(&words[i], 1UL << 40, __ATOMIC_RELAXED) & 1UL << 40))
			atomic_long_inc(&other_bits);
		else
			atomic_long_dec(&other_bits);
	}
}

static void test_bit_lock(void **state)
{
	unsigned long sum = 0, bits = 0;
	int i;

	(void)state;
	torture(bit_thread);
	for (i = 0; i < NR_WORDS; i++) {
		assert_false(kshim_bit_is_locked(&words[i], i));
		assert_int_equal(words[i] & ~(1UL << 40), 0);
		bits += words[i] >> 40;
		sum += bit_counters[i];
	}
	assert_int_equal(sum, atomic_long_read(&bit_expected));
	assert_int_equal(bits, atomic_long_read(&other_bits));

	kshim_bit_lock(&words[0], 63);
	assert_false(kshim_bit_trylock(&words[0], 63));
	assert_true(kshim_bit_trylock(&words[0], 62));
	kshim_bit_unlock(&words[0], 62);
	kshim_bit_assert_held(&words[0], 63);
	kshim_bit_unlock(&words[0], 63);
}

/* -- completions ------------------------------------------------------------------- */

struct request {
	struct completion done;
	int answer;
};

static struct request *request;
static DECLARE_COMPLETION(request_there);

#define REQUESTS	5000

static void answer_thread(struct test_thread *thread)
{
	int i;

	(void)thread;
	for (i = 0; i < REQUESTS; i++) {
		wait_for_completion(&request_there);
		request->answer = i;
		complete(&request->done);
	}
}

static void test_completion(void **state)
{
	struct test_thread thread;
	int i, bad = 0;

	(void)state;
	start_thread(&thread, 0, answer_thread);
	for (i = 0; i < REQUESTS; i++) {
		/* Gone as soon as it is answered. */
		struct request *mine = malloc(sizeof(*mine));

		init_completion(&mine->done);
		mine->answer = -1;
		request = mine;
		complete(&request_there);
		wait_for_completion(&mine->done);
		bad += mine->answer != i;
		free(mine);
	}
	join_threads(&thread, 1);
	assert_int_equal(bad, 0);
}

static DECLARE_COMPLETION(gate);
static atomic_t passed;

static void gate_thread(struct test_thread *thread)
{
	(void)thread;
	wait_for_completion(&gate);
	atomic_inc(&passed);
}

static void test_completion_counts(void **state)
{
	struct test_thread threads[NR_THREADS];

	(void)state;
	assert_false(completion_done(&gate));
	assert_false(try_wait_for_completion(&gate));
	complete(&gate);
	assert_true(completion_done(&gate));
	assert_true(try_wait_for_completion(&gate));
	assert_false(try_wait_for_completion(&gate));

	start_threads(threads, NR_THREADS, gate_thread);
	sleep_us(5000);
	assert_int_equal(atomic_read(&passed), 0);
	complete(&gate);
	complete(&gate);
	assert_true(wait_until(atomic_read(&passed) == 2));
	sleep_us(5000);
	assert_int_equal(atomic_read(&passed), 2);
	complete_all(&gate);
	join_threads(threads, NR_THREADS);
	assert_int_equal(atomic_read(&passed), NR_THREADS);
	/* For good. */
	complete(&gate);
	assert_true(try_wait_for_completion(&gate));
	assert_true(completion_done(&gate));
	reinit_completion(&gate);
	assert_false(completion_done(&gate));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_atomic),
		cmocka_unit_test(test_atomic64),
		cmocka_unit_test(test_atomic_long),
		cmocka_unit_test(test_plain_cmpxchg),
		cmocka_unit_test(test_atomic_concurrent),
		cmocka_unit_test(test_full_barrier),
		cmocka_unit_test(test_refcount),
		cmocka_unit_test(test_spinlock),
		cmocka_unit_test(test_mutex),
		cmocka_unit_test(test_rwsem_exclusion),
		cmocka_unit_test(test_rwsem_trylock),
		cmocka_unit_test(test_rwsem_writer_first),
		cmocka_unit_test(test_rwsem_downgrade),
		cmocka_unit_test(test_rwsem_writer_progress),
		cmocka_unit_test(test_rwsem_reader_progress),
		cmocka_unit_test(test_rwsem_writers_progress),
		cmocka_unit_test(test_unlock_then_free),
		cmocka_unit_test(test_seqcount),
		cmocka_unit_test(test_seqcount_wait),
		cmocka_unit_test(test_bit_lock),
		cmocka_unit_test(test_completion),
		cmocka_unit_test(test_completion_counts),
	};
	int ret;

	test_start();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	kshim_thread_unregister();
	return ret;
}
