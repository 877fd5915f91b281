// SPDX-License-Identifier: GPL-2.0
/*
 * Every test, with every single allocation failing
 *
 * UM_FAULTS=1		each test first runs as it is, and its allocations are counted; then
 *			once for each of them, which fails; then with pairs of failures
 * UM_FAULTS_BUDGET=N	a test of A allocations runs N / A times, and at most A times, for
 *			single failures, evenly spread if that is less than A. So the time
 *			does not depend on how long a test is. 0: all of them, always
 * UM_FAULTS_PAIRS=N	so many pairs for each test
 * UM_FAULTS_SEED=N	of the pairs
 * UM_FAULTS_AT=N or N,M	only this failure, and M allocations after the call that it was in
 *			another: how a failing one is repeated
 *
 * Only calls of the thread that runs the test are made to fail. Tests that make
 * allocations fail themselves are left out. At the end, "# injected N".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "um_test.h"

#define DEFAULT_BUDGET	20000
#define DEFAULT_PAIRS	10

/* One test under injection. */
struct faulted {
	const struct CMUnitTest *test;
	void *state;			/* of the run at work */
	bool running;			/* it has been set up, and not torn down */
	unsigned int nth, gap;		/* which fails; how long after its call the second one */
};

/* Of the thread that runs tests. */
static _Thread_local struct {
	bool on;
	unsigned int gap;		/* of the second failure; 0: no second one, or armed */
	struct um_world *world;
	int busy;
} faults;

static unsigned long injected, runs, left_out;
void (*t_faults_release)(void);

static unsigned long number(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 0) : otherwise;
}

bool um_faults_wanted(void)
{
	return number("UM_FAULTS", 0);
}

void t_faults_world(struct um_world *world)
{
	faults.world = world;
}

void t_faults_busy(bool busy)
{
	faults.busy += busy ? 1 : -1;
}

unsigned long t_injected(void)
{
	return faults.on ? kshim_fail_injected() : 0;
}

bool t_faults_again(unsigned long before, bool repeat)
{
	if (!faults.on || kshim_fail_injected() == before)
		return false;
	/* While the rest of it is checked, nothing fails. */
	kshim_fail_nth(0);
	if (!faults.busy && faults.world)
		assert_int_equal(um_check_all(faults.world), 0);
	kshim_fail_nth(faults.gap);
	faults.gap = 0;
	return repeat;
}

/* Returns how many allocations the test made itself, as the thread that runs it. */
static unsigned long run_once(struct faulted *f, unsigned int nth, unsigned int gap)
{
	const struct CMUnitTest *test = f->test;
	unsigned long seen;

	f->nth = nth;
	f->gap = gap;
	f->state = test->initial_state;
	if (test->setup_func)
		assert_int_equal(test->setup_func(&f->state), 0);
	f->running = true;
	kshim_fail_reset();
	faults.on = nth;
	faults.gap = gap;
	faults.busy = 0;
	kshim_fail_nth(nth);
	test->test_func(&f->state);
	kshim_fail_nth(0);
	faults.on = false;
	seen = kshim_fail_seen();
	injected += kshim_fail_injected();
	f->running = false;
	faults.world = NULL;
	if (test->teardown_func)
		assert_int_equal(test->teardown_func(&f->state), 0);
	runs++;
	return seen;
}

static uint64_t lot(uint64_t *state, uint64_t n)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15UL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
	return (z ^ z >> 31) % n;
}

static void run_singles(struct faulted *f, unsigned long nr)
{
	unsigned long budget = number("UM_FAULTS_BUDGET", DEFAULT_BUDGET);
	unsigned long i, chosen = budget ? 1 + budget / nr : nr;

	if (chosen >= nr)
		chosen = nr;
	else
		print_message("# %s: %lu of %lu allocations\n", f->test->name, chosen, nr);
	for (i = 0; i < chosen; i++)
		run_once(f, 1 + i * nr / chosen, 0);
}

static void run_pairs(struct faulted *f, unsigned long nr)
{
	unsigned long i, pairs = number("UM_FAULTS_PAIRS", DEFAULT_PAIRS);
	uint64_t random = number("UM_FAULTS_SEED", 1) + nr;

	/* Long tests have fewer. */
	if (number("UM_FAULTS_BUDGET", DEFAULT_BUDGET) && pairs > 1 + DEFAULT_BUDGET / nr)
		pairs = 1 + DEFAULT_BUDGET / nr;
	for (i = 0; i < pairs; i++) {
		unsigned int nth = 1 + lot(&random, nr);

		run_once(f, nth, 1 + lot(&random, lot(&random, 2) ? 8 : nr - nth + 1));
	}
}

static void faulted_test(void **state)
{
	struct faulted *f = *state;
	const char *at = getenv("UM_FAULTS_AT");
	unsigned int nth, gap = 0;
	unsigned long nr;

	if (at && sscanf(at, "%u,%u", &nth, &gap) >= 1) {
		run_once(f, nth, gap);
		return;
	}
	nr = run_once(f, 0, 0);
	if (kshim_fail_injected()) {
		injected -= kshim_fail_injected();
		left_out++;
		print_message("# %s: makes allocations fail itself\n", f->test->name);
		return;
	}
	if (!nr)
		return;
	run_singles(f, nr);
	run_pairs(f, nr);
}

/* After a failure: which it was, and what can still be cleaned up. */
static int faulted_teardown(void **state)
{
	struct faulted *f = *state;

	kshim_fail_reset();
	faults.on = false;
	if (!f->running)
		return 0;
	print_error("to repeat: UM_FAULTS=1 UM_FAULTS_AT=%u,%u TEST_FILTER='%s'\n", f->nth, f->gap,
		    f->test->name);
	f->running = false;
	if (t_faults_release)
		t_faults_release();
	/* Or the tests to come would count its objects. Not where threads may be in it still. */
	if (faults.world && !faults.busy)
		um_world_destroy(faults.world);
	faults.world = NULL;
	return 0;
}

int um_faults_run(const struct CMUnitTest *tests, size_t nr)
{
	struct CMUnitTest *wrapped = calloc(nr, sizeof(*wrapped));
	struct faulted *faulted = calloc(nr, sizeof(*faulted));
	int failed = 1;
	size_t i;

	if (wrapped && faulted) {
		for (i = 0; i < nr; i++) {
			faulted[i].test = &tests[i];
			wrapped[i] = (struct CMUnitTest) {
				.name = tests[i].name,
				.test_func = faulted_test,
				.teardown_func = faulted_teardown,
				.initial_state = &faulted[i],
			};
		}
		failed = _cmocka_run_group_tests("faults", wrapped, nr, NULL, NULL);
		print_message("# injected %lu\n# runs %lu\n# left out %lu\n", injected, runs,
			      left_out);
	}
	free(wrapped);
	free(faulted);
	return failed;
}
