// SPDX-License-Identifier: GPL-2.0
/*
 * The rw_semaphore, with threads that are held up at random in the middle of it:
 * most of its races need a thread to lose the processor between two particular
 * instructions, which hardly ever happens by itself.
 *
 * For this, kshim/rwsem.c is compiled once more, here, with atomic operations
 * that now and then let other threads run first. The linker then has no use for
 * the copy in the library.
 */
#include <sched.h>

static __thread unsigned long perturb_state;
static unsigned long perturb_seed;

static inline __attribute__((always_inline)) void perturb(void)
{
	unsigned long x = perturb_state;

	if (!x)
		x = (__atomic_fetch_add(&perturb_seed, 1, __ATOMIC_RELAXED) + 1) *
			0x9e3779b97f4a7c15UL;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	perturb_state = x;
	if (x % 8 == 0)
		sched_yield();
}

/* A macro's own name in it is not expanded again. */
#define __atomic_load_n(...)		(perturb(), __atomic_load_n(__VA_ARGS__))
#define __atomic_store_n(...)		(perturb(), __atomic_store_n(__VA_ARGS__))
#define __atomic_exchange_n(...)	(perturb(), __atomic_exchange_n(__VA_ARGS__))
#define __atomic_fetch_add(...)		(perturb(), __atomic_fetch_add(__VA_ARGS__))
#define __atomic_compare_exchange_n(...) \
	(perturb(), __atomic_compare_exchange_n(__VA_ARGS__))

#include "../../kshim/rwsem.c"

#include "conc.h"

#define TORTURE_NS	800000000ULL

static DECLARE_RWSEM(rwsem);
static u64 deadline;
static atomic_t errors, readers_in, writers_in;
static unsigned long counter, shadow;	/* rwsem */
static unsigned int max_op;

static void error_if(bool wrong)
{
	if (wrong)
		atomic_inc(&errors);
}

static void read_section(void)
{
	unsigned long seen = counter;

	atomic_inc(&readers_in);
	error_if(atomic_read(&writers_in));
	error_if(seen != shadow);
	error_if(seen != counter);
	atomic_dec(&readers_in);
}

static void write_section(void)
{
	error_if(atomic_inc_return(&writers_in) != 1);
	error_if(atomic_read(&readers_in));
	counter++;
	shadow++;
	error_if(atomic_read(&readers_in));
	atomic_dec(&writers_in);
}

static void torture_thread(struct test_thread *thread)
{
	while (now_ns() < deadline) {
		switch (rnd(&thread->rnd) % max_op) {
		case 0 ... 3:
			down_write(&rwsem);
			write_section();
			up_write(&rwsem);
			break;
		case 4:
			if (!down_write_trylock(&rwsem))
				break;
			write_section();
			up_write(&rwsem);
			break;
		case 5:
			down_write(&rwsem);
			write_section();
			downgrade_write(&rwsem);
			read_section();
			up_read(&rwsem);
			break;
		case 6:
			if (!down_read_trylock(&rwsem))
				break;
			read_section();
			up_read(&rwsem);
			break;
		default:
			down_read(&rwsem);
			read_section();
			up_read(&rwsem);
			break;
		}
	}
}

static void torture(unsigned int ops)
{
	struct test_thread threads[NR_THREADS];

	max_op = ops;
	counter = shadow = 0;
	atomic_set(&errors, 0);
	deadline = now_ns() + TORTURE_NS;
	start_threads(threads, NR_THREADS, torture_thread);
	join_threads(threads, NR_THREADS);
	assert_int_equal(atomic_read(&errors), 0);
	assert_int_equal(rwsem.count, 0);
	assert_null(rwsem.head);
	assert_int_equal(counter, shadow);
	assert_true(counter > 0);
}

static void test_writers(void **state)
{
	(void)state;
	torture(4);
}

/* Downgraded writers are the only readers that a writer can wait for after others. */
static void test_downgrade(void **state)
{
	(void)state;
	torture(6);
}

static void test_all(void **state)
{
	(void)state;
	torture(10);
}

static void test_mostly_readers(void **state)
{
	(void)state;
	torture(30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writers),
		cmocka_unit_test(test_downgrade),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_mostly_readers),
	};
	int ret;

	test_start();
	perturb_seed = test_seed * NR_THREADS * 8;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	kshim_thread_unregister();
	return ret;
}
