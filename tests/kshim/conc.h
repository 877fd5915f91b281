/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TESTS_KSHIM_CONC_H
#define TESTS_KSHIM_CONC_H
/* What the tests of kshim's concurrent half share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/atomic.h>
#include <linux/kernel.h>
#include <linux/types.h>
#include <kshim/thread.h>

/* More threads than the machine that runs this is likely to have processors. */
#define NR_THREADS	6

static inline u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static inline void sleep_us(unsigned int usecs)
{
	struct timespec ts = {
		.tv_sec = usecs / 1000000,
		.tv_nsec = usecs % 1000000 * 1000L,
	};

	nanosleep(&ts, NULL);
}

/* Waits up to 4 s for a condition of another thread; gives whether it came. */
#define wait_until(cond)						\
({									\
	u64 __end = now_ns() + 4000000000ULL;				\
									\
	while (!(cond) && now_ns() < __end)				\
		sleep_us(100);						\
	!!(cond);							\
})

static u64 test_seed;

/* xorshift: each thread has a state of its own. */
static inline u64 rnd(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline u64 rnd_init(unsigned int thread)
{
	u64 state = (test_seed + 1) * 0x9e3779b97f4a7c15ULL + thread * 0xd1342543de82ef95ULL;

	return state ? state : 1;
}

/* To be called first: registers main() and chooses the seed. */
static inline void test_start(void)
{
	const char *env = getenv("SEED");

	kshim_thread_register();
	test_seed = env ? strtoull(env, NULL, 0) : now_ns() % 1000000;
	/* A comment in TAP. */
	printf("# SEED=%llu\n", (unsigned long long)test_seed);
	fflush(stdout);
}

struct test_thread {
	unsigned int nr;
	u64 rnd;
	void (*fn)(struct test_thread *thread);
	struct kshim_thread *thread;
};

static inline void test_thread_main(void *arg)
{
	struct test_thread *thread = arg;

	thread->fn(thread);
}

/* Asserts of cmocka work in the main thread only: threads count errors instead. */
static inline void start_thread(struct test_thread *thread, unsigned int nr,
				void (*fn)(struct test_thread *thread))
{
	thread->nr = nr;
	thread->rnd = rnd_init(nr);
	thread->fn = fn;
	thread->thread = kshim_thread_create(test_thread_main, thread, "test");
	assert_non_null(thread->thread);
}

static inline void start_threads(struct test_thread *threads, unsigned int n,
				 void (*fn)(struct test_thread *thread))
{
	unsigned int i;

	for (i = 0; i < n; i++)
		start_thread(&threads[i], i, fn);
}

static inline void join_threads(struct test_thread *threads, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		kshim_thread_join(threads[i].thread);
}

#endif
