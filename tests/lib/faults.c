// SPDX-License-Identifier: GPL-2.0
/*
 * Every test, with every single allocation failing
 *
 * UM_FAULTS=1		each test first runs as it is, and its allocations are counted; then
 *			once for each of them, which fails; then with pairs of failures
 * UM_FAULTS_BUDGET=N	a test of A allocations runs N / A times, and at most A times, for
 *			single failures, evenly spread if that is less than A. So the time
 *			does not depend on how long a test is. What this leaves out fails in
 *			one more run, in which each call is made until it has met all of its
 *			failures: with its first allocation failing, its second, and so on,
 *			until none is left. 0: a run for each, always, which may take days
 * UM_FAULTS_EACH=N	in that one run, the first N failures are of all allocations, the next
 *			of every second one, and so on. 0: of all, always, which takes long
 * UM_FAULTS_PAIRS=N	so many pairs for each test
 * UM_FAULTS_SEED=N	of the pairs, and of what is left out where each fails
 * UM_FAULTS_AT=N or N,M	only this failure, and M allocations after the call that it was in
 *			another: how a failing one is repeated. -1: the run in which each fails
 *
 * Only calls of the thread that runs the test are made to fail. Tests that make
 * allocations fail themselves are left out. At the end, "# injected N".
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "um_test.h"

#define DEFAULT_BUDGET	10000
#define DEFAULT_PAIRS	10
#define DEFAULT_EACH	300
#define EACH		UINT_MAX	/* instead of which allocation fails */

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
	unsigned int rung;		/* of the next call, the allocation that fails; or 0 */
	unsigned long each;		/* 0: one fails, or two; or UM_FAULTS_EACH */
	unsigned long skip;		/* calls that succeed before one has failures again */
	uint64_t random;
	unsigned long next_check;	/* after so many failures */
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

static uint64_t lot(uint64_t *state, uint64_t n)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15UL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
	return (z ^ z >> 31) % n;
}

/* All is checked after each failure; where each allocation fails, less and less often. */
static bool check_is_due(void)
{
	unsigned long failures = kshim_fail_injected();

	if (faults.busy || !faults.world || (faults.each && failures < faults.next_check))
		return false;
	faults.next_check = failures + 1 + failures / 10;
	return true;
}

/* Where each allocation fails: the one that is next. */
static void next_rung(bool failed, bool again)
{
	unsigned long gap = 1 + kshim_fail_injected() / faults.each;

	if (again) {
		faults.rung += gap;
	} else if (failed) {
		/* By lot, as calls come in turns. */
		faults.skip = lot(&faults.random, 2 * gap - 1);
		faults.rung = !faults.skip;
	} else if (faults.skip) {
		faults.skip--;
		faults.rung = !faults.skip;
	} else {
		faults.rung = 1;
	}
	kshim_fail_nth(faults.rung);
}

bool t_faults_again(unsigned long before, bool repeat)
{
	bool failed = kshim_fail_injected() > before;

	if (!faults.on || (!failed && !faults.each))
		return false;
	/* While the rest of it is checked, nothing fails. */
	kshim_fail_nth(0);
	if (failed && check_is_due())
		assert_int_equal(um_check_all(faults.world), 0);
	if (faults.each) {
		next_rung(failed, failed && repeat);
	} else {
		kshim_fail_nth(faults.gap);
		faults.gap = 0;
	}
	return failed && repeat;
}

/*
 * Returns how many allocations the test made itself, as the thread that runs it; if EACH is
 * to fail, how many did.
 */
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
	faults.each = nth == EACH ? number("UM_FAULTS_EACH", DEFAULT_EACH) ?: ULONG_MAX : 0;
	faults.next_check = faults.skip = 0;
	faults.random = number("UM_FAULTS_SEED", 1);
	faults.rung = nth == EACH ? 1 : nth;
	kshim_fail_nth(faults.rung);
	test->test_func(&f->state);
	kshim_fail_nth(0);
	faults.on = false;
	seen = nth == EACH ? kshim_fail_injected() : kshim_fail_seen();
	injected += kshim_fail_injected();
	f->running = false;
	faults.world = NULL;
	if (test->teardown_func)
		assert_int_equal(test->teardown_func(&f->state), 0);
	runs++;
	return seen;
}

static void run_singles(struct faulted *f, unsigned long nr)
{
	unsigned long budget = number("UM_FAULTS_BUDGET", DEFAULT_BUDGET);
	unsigned long i, chosen = budget ? 1 + budget / nr : nr;

	if (chosen > nr)
		chosen = nr;
	for (i = 0; i < chosen; i++)
		run_once(f, 1 + i * nr / chosen, 0);
	if (chosen < nr)
		print_message("# %s: %lu of %lu allocations, each in a run of its own; %lu in one\n",
			      f->test->name, chosen, nr, run_once(f, EACH, 0));
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
	print_error("to repeat: UM_FAULTS=1 UM_FAULTS_AT=%d,%u TEST_FILTER='%s'\n", f->nth, f->gap,
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
