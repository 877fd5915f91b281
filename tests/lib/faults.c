// SPDX-License-Identifier: GPL-2.0
/*
 * Every test, with every single allocation failing
 *
 * UM_FAULTS=1		each test first runs as it is, and its allocations are counted; then
 *			once for each of them, which fails; then with pairs of failures
 * UM_FAULTS_BUDGET=N	a test of A allocations runs N / A times, and at most A times, for
 *			single failures, evenly spread if that is less than A. So the time
 *			does not depend on how long a test is. 0: a run for each, which may
 *			take days. If it is less, there is one run more, with many failures:
 *			each call is made until it has met all of its own: with its first
 *			allocation failing, its second, and so on, until none is left. What
 *			a call allocates after it did without is not met.
 * UM_FAULTS_EACH=N	in that one run, the first N allocations - those of repeated calls
 *			count again - all fail, then every second one, and so on, by lot.
 *			0: all, always
 * UM_FAULTS_PAIRS=N	so many pairs for each test
 * UM_FAULTS_SEED=N	of what is chosen by lot
 * UM_FAULTS_AT=N or N,M	only this failure, and M allocations after the call that it was in
 *			another: how a failing one is repeated. all,M: the one run with many
 *			failures, and none after the M-th of them; 0: to its end
 *
 * After a failure all of the world is checked, unless somebody holds something; in the one run
 * with many, less often the longer that takes. Only calls of the thread that runs the test are
 * made to fail. Tests that make allocations fail themselves are left out. At the end,
 * "# injected N", and "# checked N" for how many of these everything was checked after.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "um_test.h"

#define DEFAULT_BUDGET	10000
#define DEFAULT_PAIRS	10
#define DEFAULT_EACH	200000
#define DEFAULT_SEED	1
#define CHECKED_FREELY	10000		/* about an object each, where many fail */
#define MANY		UINT_MAX	/* instead of which allocation fails: many, one by one */

/* One test under injection. */
struct faulted {
	const struct CMUnitTest *test;
	void *state;			/* of the run at work */
	bool running;			/* it has been set up, and not torn down */
	unsigned int nth;		/* which fails, or MANY */
	unsigned int more;		/* how long after its call the second one; of MANY, the last */
};

/* Of the thread that runs tests. */
static _Thread_local struct {
	bool on;
	bool many;
	unsigned int more;		/* see struct faulted; 0: no second one, or it is armed */
	/* Where many fail: */
	unsigned long rung;		/* the one that fails, of the allocations after seen */
	unsigned long seen;
	uint64_t random;
	unsigned long next_check;	/* after so many failures */
	uint64_t check_cost;		/* of checks */
	struct um_world *world;
	int busy;
} faults;

static unsigned long injected, checked, runs, left_out;
void (*t_faults_release)(void);

static unsigned long number(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);
	unsigned long n;
	char *end;

	if (!value)
		return otherwise;
	errno = 0;
	n = strtoul(value, &end, 0);
	if (errno || end == value || *end || *value == '-') {
		fprintf(stderr, "%s=%s is not a number\n", name, value);
		exit(2);
	}
	return n;
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

/* Where many fail: how far it is from one to the next. */
static unsigned long step(void)
{
	unsigned long each = number("UM_FAULTS_EACH", DEFAULT_EACH) ?: ULONG_MAX;

	return 1 + lot(&faults.random, 1 + 2 * (kshim_fail_seen() / each));
}

/* Where many fail: the next one, counted from here. */
static void arm(unsigned long rung)
{
	faults.rung = rung;
	faults.seen = kshim_fail_seen();
	kshim_fail_nth(faults.more && kshim_fail_injected() >= faults.more ? 0 : rung);
}

static void check_all(void)
{
	unsigned long failures = kshim_fail_injected();
	struct um_stats before, after;

	if (faults.busy || !faults.world || (faults.many && failures < faults.next_check))
		return;
	um_stats(faults.world, &before);
	assert_int_equal(um_check_all(faults.world), 0);
	um_stats(faults.world, &after);
	checked++;
	/* A visit is a walk of page tables; those of each mm are looked at entry by entry. */
	faults.check_cost += 10 * (after.visits_full - before.visits_full) + after.pages +
			     after.objects[UM_OBJ_VMA].live + 300 * after.mms;
	faults.next_check = failures + 1 + faults.check_cost / CHECKED_FREELY;
}

unsigned long t_faults_begin(void)
{
	unsigned long seen = kshim_fail_seen() - faults.seen;

	/* What was between two calls may have failed as well, and is not repeated. */
	if (faults.on && faults.many)
		arm(seen < faults.rung ? faults.rung - seen : step());
	return kshim_fail_injected();
}

bool t_faults_again(unsigned long before, bool repeat)
{
	if (!faults.on || kshim_fail_injected() == before)
		return false;
	/* While the rest of it is checked, nothing fails. */
	kshim_fail_nth(0);
	check_all();
	if (faults.many) {
		arm(step() + (repeat ? faults.rung : 0));
	} else {
		kshim_fail_nth(faults.more);
		faults.more = 0;
	}
	return repeat;
}

/*
 * Returns how many allocations the test made itself, as the thread that runs it; if MANY
 * are to fail, how many did.
 */
static unsigned long run_once(struct faulted *f, unsigned int nth, unsigned int more)
{
	const struct CMUnitTest *test = f->test;
	unsigned long count;

	f->nth = nth;
	f->more = more;
	f->state = test->initial_state;
	if (test->setup_func)
		assert_int_equal(test->setup_func(&f->state), 0);
	f->running = true;
	kshim_fail_reset();
	faults.on = nth;
	faults.many = nth == MANY;
	faults.more = more;
	faults.busy = 0;
	faults.next_check = faults.check_cost = 0;
	faults.random = number("UM_FAULTS_SEED", DEFAULT_SEED);
	if (faults.many)
		arm(1);
	else
		kshim_fail_nth(nth);
	test->test_func(&f->state);
	kshim_fail_nth(0);
	faults.on = false;
	count = faults.many ? kshim_fail_injected() : kshim_fail_seen();
	injected += kshim_fail_injected();
	f->running = false;
	faults.world = NULL;
	if (test->teardown_func)
		assert_int_equal(test->teardown_func(&f->state), 0);
	runs++;
	return count;
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
			      f->test->name, chosen, nr, run_once(f, MANY, 0));
}

static void run_pairs(struct faulted *f, unsigned long nr)
{
	unsigned long i, pairs = number("UM_FAULTS_PAIRS", DEFAULT_PAIRS);
	uint64_t random = number("UM_FAULTS_SEED", DEFAULT_SEED) + nr;

	/* Long tests have fewer. */
	if (number("UM_FAULTS_BUDGET", DEFAULT_BUDGET) && pairs > 1 + DEFAULT_BUDGET / nr)
		pairs = 1 + DEFAULT_BUDGET / nr;
	for (i = 0; i < pairs; i++) {
		unsigned int nth = 1 + lot(&random, nr);

		run_once(f, nth, 1 + lot(&random, lot(&random, 2) ? 8 : nr - nth + 1));
	}
}

/* UM_FAULTS_AT: only what it says. */
static void run_at(struct faulted *f, const char *at)
{
	unsigned int nth = MANY, more = 0;
	bool many = !strncmp(at, "all,", 4);
	int used = 0;

	if (many)
		sscanf(at + 4, "%u%n", &more, &used);
	else if (sscanf(at, "%u%n,%u%n", &nth, &used, &more, &used) < 1 || !nth || nth == MANY)
		used = 0;
	if (!used || at[used + 4 * many]) {
		fprintf(stderr, "UM_FAULTS_AT=%s is none of N, N,M and all,M\n", at);
		exit(2);
	}
	run_once(f, nth, more);
	if (!kshim_fail_injected())
		fail_msg("UM_FAULTS_AT=%s: the test has no such allocation", at);
}

static void faulted_test(void **state)
{
	struct faulted *f = *state;
	const char *at = getenv("UM_FAULTS_AT");
	unsigned long nr;

	if (at) {
		run_at(f, at);
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
	unsigned long failures = kshim_fail_injected();

	kshim_fail_reset();
	faults.on = false;
	if (!f->running)
		return 0;
	print_error("to repeat: UM_FAULTS=1 TEST_FILTER='%s' ", f->test->name);
	if (f->nth == MANY)
		print_error("UM_FAULTS_EACH=%lu UM_FAULTS_SEED=%lu UM_FAULTS_AT=all,%lu\n",
			    number("UM_FAULTS_EACH", DEFAULT_EACH),
			    number("UM_FAULTS_SEED", DEFAULT_SEED), failures);
	else
		print_error("UM_FAULTS_AT=%u,%u\n", f->nth, f->more);
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
		print_message("# injected %lu\n# checked %lu\n# runs %lu\n# left out %lu\n", injected,
			      checked, runs, left_out);
	}
	free(wrapped);
	free(faulted);
	return failed;
}
