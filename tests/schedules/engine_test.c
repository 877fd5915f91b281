// SPDX-License-Identifier: GPL-2.0
/*
 * Does the engine find what is there, and all of it? Each search runs in a process of its
 * own, as it does in anonrmap check.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mman.h>
#include "jobs.h"
#include "toys.h"

static struct outcome *outcome;
static struct schedule schedule;

struct search {
	const char *toy;
	unsigned int bound;
	uint64_t pct, seed;		/* schedules at random instead */
};

static void search_fn(void *arg)
{
	const struct search *search = arg;

	run_prepare(schedule_scenario_find(search->toy), "none", outcome);
	if (search->pct)
		pct(search->pct, search->seed, 3, outcome);
	else
		explore(search->bound, 0, outcome);
}

static void explore_toy(const char *toy, unsigned int bound)
{
	struct search search = { .toy = toy, .bound = bound };

	jobs_isolated(search_fn, &search, outcome);
}

static unsigned int preemptions(void)
{
	return schedule_preemptions(outcome->segments, outcome->nr_segments);
}

static void follow_fn(void *arg)
{
	const struct schedule *which = arg;

	run_prepare(which->scenario, which->topology, outcome);
	follow(which->segments, which->nr, false);
}

/* The schedule that failed is text, is read again, and fails in the same way. */
static void assert_repeats(const char *toy)
{
	char *text = schedule_text(schedule_scenario_find(toy), "none", outcome), *again;
	struct outcome *before = malloc(sizeof(*before));
	char kind[32];

	assert_non_null(text);
	assert_non_null(before);
	*before = *outcome;
	strcpy(kind, outcome->kind);
	assert_null(schedule_parse(text, &schedule));
	jobs_isolated(follow_fn, &schedule, outcome);
	assert_string_equal(outcome->kind, kind);
	assert_string_equal(outcome->text, before->text);
	assert_int_equal(outcome->nr_segments, before->nr_segments);
	assert_memory_equal(outcome->segments, before->segments,
			    outcome->nr_segments * sizeof(struct segment));
	again = schedule_text(schedule_scenario_find(toy), "none", outcome);
	assert_string_equal(again, text);
	free(again);
	free(text);
	free(before);
}

/* Found with @needed preemptions, and not with fewer; found at random, and cut down to them. */
static void assert_found(const char *toy, const char *kind, unsigned int needed)
{
	struct search search = { .toy = toy, .pct = 100000, .seed = 5 };
	char *text;

	if (needed) {
		explore_toy(toy, needed - 1);
		assert_int_equal(outcome->findings, 0);
		assert_true(outcome->complete);
	}
	explore_toy(toy, needed + 1);
	assert_string_equal(outcome->kind, kind);
	assert_int_equal(preemptions(), needed);
	assert_false(outcome->complete);
	assert_repeats(toy);

	jobs_isolated(search_fn, &search, outcome);
	assert_string_equal(outcome->kind, kind);
	text = schedule_text(schedule_scenario_find(toy), "none", outcome);
	assert_null(schedule_parse(text, &schedule));
	assert_int_equal(minimise(&schedule, outcome), 0);
	assert_string_equal(outcome->kind, kind);
	assert_int_equal(preemptions(), needed);
	assert_repeats(toy);
	free(text);
}

static void assert_nothing(const char *toy, unsigned int bound)
{
	struct search search = { .toy = toy, .pct = 2000, .seed = 5 };

	explore_toy(toy, bound);
	assert_string_equal(outcome->text, "");
	assert_int_equal(outcome->findings, 0);
	assert_true(outcome->complete);
	jobs_isolated(search_fn, &search, outcome);
	assert_int_equal(outcome->findings, 0);
	assert_int_equal(outcome->schedules, 2000);
}

/* -- How many there are ------------------------------------------------------------------ */

static uint64_t choose(uint64_t n, uint64_t k)
{
	uint64_t c = 1, i;

	if (k > n)
		return 0;
	for (i = 1; i <= k; i++)
		c = c * (n - k + i) / i;
	return c;
}

/*
 * Two threads with n accesses each that all depend on each other: whoever begins is cut
 * into pieces at some of n - 1 places. p preemptions cut the one who begins (p + 1) / 2
 * times and the other one p / 2 times; and either may begin.
 */
static uint64_t interleavings(unsigned int n, unsigned int bound)
{
	uint64_t sum = 0;
	unsigned int p;

	for (p = 0; p <= bound; p++)
		sum += 2 * choose(n - 1, (p + 1) / 2) * choose(n - 1, p / 2);
	return sum;
}

static void counts_all_interleavings(void **state)
{
	unsigned int bound;

	(void)state;
	for (toy_points = 1; toy_points <= 7; toy_points++)
		for (bound = 0; bound <= 5; bound++) {
			explore_toy("writes", bound);
			assert_true(outcome->complete);
			assert_int_equal(outcome->schedules, interleavings(toy_points, bound));
		}
	/* With enough preemptions, all orders of 4 and 4 things: 8 over 4. */
	toy_points = 4;
	explore_toy("writes", 8);
	assert_int_equal(outcome->schedules, 70);
	/* Of three times 2: 6! / (2! 2! 2!). */
	toy_points = 2;
	explore_toy("three", 6);
	assert_int_equal(outcome->schedules, 90);
	toy_points = 3;
}

static void counts_one_of_independent(void **state)
{
	static const char *const toys[] = { "reads", "updates", "apart" };
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		explore_toy(toys[i], 3);
		assert_true(outcome->complete);
		/* Either thread begins; that is not worth a reduction. */
		assert_int_equal(outcome->schedules, 2);
	}
}

/* -- What reductions leave out ----------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const unsigned long *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* All that a program can end with, sorted. Returns how many schedules that took. */
static uint64_t ends_of(const char *toy, unsigned int bound, bool all, struct toy_ends *ends)
{
	explore_all = all;
	toy_ends->nr = 0;
	explore_toy(toy, bound);
	explore_all = false;
	assert_string_equal(outcome->text, "");
	assert_true(outcome->complete);
	*ends = *toy_ends;
	qsort(ends->ends, ends->nr, sizeof(ends->ends[0]), compare);
	return outcome->schedules;
}

/* Programs end as they do without reductions, for each number of preemptions. */
static void reductions_lose_nothing(const char *toy, unsigned int steps, bool yields,
				    unsigned int programs)
{
	static struct toy_ends all, some;
	uint64_t schedules = 0, without = 0;
	unsigned int seed, bound;

	for (seed = 0; seed < programs; seed++) {
		toy_program(seed, steps, yields);
		for (bound = 0; bound <= 3; bound++) {
			without += ends_of(toy, bound, true, &all);
			schedules += ends_of(toy, bound, false, &some);
			if (all.nr != some.nr)
				print_error("program %u, bound %u: %u ends, not %u\n", seed, bound,
					    some.nr, all.nr);
			assert_int_equal(some.nr, all.nr);
			assert_memory_equal(some.ends, all.ends, all.nr * sizeof(all.ends[0]));
		}
	}
	print_message("# %s: %llu schedules instead of %llu\n", toy, (unsigned long long)schedules,
		      (unsigned long long)without);
	assert_true(schedules < without);
}

static void reductions_of_two_threads(void **state)
{
	(void)state;
	reductions_lose_nothing("program_two", 4, true, 40);
	reductions_lose_nothing("program_two", 4, false, 40);
}

static void reductions_of_three_threads(void **state)
{
	(void)state;
	/* What yielding means depends on who has yielded before: docs/schedules.md. */
	reductions_lose_nothing("program_three", 2, false, 20);
}

/* -- Mistakes ---------------------------------------------------------------------------- */

static void finds_deadlocks(void **state)
{
	(void)state;
	assert_found("abba", "deadlock", 1);
	assert_found("bit_abba", "deadlock", 1);
	assert_found("read_lock_twice", "deadlock", 1);
	assert_nothing("abab", 4);
}

static void finds_lost_wakeups(void **state)
{
	(void)state;
	assert_found("lost_wakeup", "lost wake-up", 1);
	assert_nothing("good_wakeup", 4);
}

static void is_fair_to_polling(void **state)
{
	(void)state;
	assert_nothing("polling", 3);
	assert_nothing("polling_two", 3);
	explore_toy("polling_for_ever", 0);
	assert_string_equal(outcome->kind, "livelock");
}

static void finds_use_after_grace_period(void **state)
{
	(void)state;
	assert_nothing("rcu", 4);
	assert_nothing("rcu_synchronize", 4);
	assert_found("rcu_too_early", "use of freed memory", 1);
	assert_found("rcu_too_long", "use of freed memory", 1);
	assert_found("rcu_too_long_synchronize", "use of freed memory", 1);
	assert_found("rcu_forgotten", "use of freed memory", 1);
}

/* Without AddressSanitizer, which ends it at the write. */
static void finds_write_after_free(void **state)
{
	(void)state;
	explore_toy("write_after_free", 0);
#ifdef __SANITIZE_ADDRESS__
	assert_string_equal(outcome->kind, "crash");
#else
	assert_string_equal(outcome->kind, "use of freed memory");
#endif
}

static void reuses_typesafe_memory(void **state)
{
	(void)state;
	assert_found("typesafe_again", "finding", 1);
	assert_found("typesafe_gone", "use of freed memory", 1);
	assert_nothing("typesafe_good", 4);
}

static void finds_missed_updates(void **state)
{
	(void)state;
	assert_found("missed_update", "finding", 1);
	assert_nothing("good_update", 4);
}

static void finds_what_takes_three_preemptions(void **state)
{
	(void)state;
	assert_found("stages", "finding", 3);
}

/* It takes a preemption to get there; who stops before has not tried all, and says nothing. */
static void finds_what_is_never_reached(void **state)
{
	struct search search = { .toy = "gets_there", .pct = 1, .seed = 5 };

	(void)state;
	explore_toy("gets_there", 0);
	assert_string_equal(outcome->kind, "missed");
	assert_true(outcome->complete);
	assert_int_equal(outcome->lockless, 0);
	explore_toy("gets_there", 1);
	assert_int_equal(outcome->findings, 0);
	assert_true(outcome->lockless > 0);
	jobs_isolated(search_fn, &search, outcome);
	assert_int_equal(outcome->findings, 0);
	assert_int_equal(outcome->lockless, 0);
}

/* -- Always the same --------------------------------------------------------------------- */

static void assert_same_twice(struct search *search)
{
	struct outcome *first = malloc(sizeof(*first));

	assert_non_null(first);
	jobs_isolated(search_fn, search, outcome);
	*first = *outcome;
	jobs_isolated(search_fn, search, outcome);
	assert_memory_equal(first, outcome, sizeof(*first));
	free(first);
}

static void same_seed_same_result(void **state)
{
	struct search search = { .toy = "stages", .pct = 100000, .seed = 11 };
	uint64_t schedules;

	(void)state;
	assert_same_twice(&search);
	schedules = outcome->schedules;
	search.seed = 12;
	jobs_isolated(search_fn, &search, outcome);
	assert_int_not_equal(outcome->schedules, schedules);
	search = (struct search) { .toy = "three", .bound = 4 };
	assert_same_twice(&search);
	search = (struct search) { .toy = "rcu_synchronize", .bound = 4 };
	assert_same_twice(&search);
}

static void refuses_bad_text(void **state)
{
	static const char *const bad[] = {
		"", "abba", "abba:none", "abba:none:1", "abba:none:x:0", "none:none:0:0",
		"abba:lazy:0:0", "abba:none:1:", "abba:none:1:2", "abba:none:1:0x", "abba:none:1:0,",
		"abba:none:1:0x5y", "abba:none:1:0x12345678", "abba:none:1:01",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(schedule_parse(bad[i], &schedule));
	assert_null(schedule_parse("abba:none:1:0x1,1,0", &schedule));
	assert_int_equal(schedule.nr, 3);
	assert_true(schedule.segments[0].preempted);
	assert_int_equal(schedule.segments[0].steps, 1);
	assert_false(schedule.segments[1].preempted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_all_interleavings),
		cmocka_unit_test(counts_one_of_independent),
		cmocka_unit_test(reductions_of_two_threads),
		cmocka_unit_test(reductions_of_three_threads),
		cmocka_unit_test(finds_deadlocks),
		cmocka_unit_test(finds_lost_wakeups),
		cmocka_unit_test(is_fair_to_polling),
		cmocka_unit_test(finds_use_after_grace_period),
		cmocka_unit_test(finds_write_after_free),
		cmocka_unit_test(reuses_typesafe_memory),
		cmocka_unit_test(finds_missed_updates),
		cmocka_unit_test(finds_what_takes_three_preemptions),
		cmocka_unit_test(finds_what_is_never_reached),
		cmocka_unit_test(same_seed_same_result),
		cmocka_unit_test(refuses_bad_text),
	};

	outcome = jobs_outcome();
	toy_ends = mmap(NULL, sizeof(*toy_ends), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (!outcome || toy_ends == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
