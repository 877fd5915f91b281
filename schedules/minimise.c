// SPDX-License-Identifier: GPL-2.0
/*
 * A shorter schedule that fails in the same way
 *
 * First preemptions are taken out one by one, as long as the failure stays; then all
 * schedules with fewer preemptions are searched for it, as far as that is quick.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "jobs.h"

#define QUICK		30000		/* schedules */

struct attempt {
	const struct schedule *schedule;
	struct outcome *outcome;
	unsigned int bound;		/* for the search */
};

static void try_schedule(void *arg)
{
	struct attempt *attempt = arg;

	run_prepare(attempt->schedule->scenario, attempt->schedule->topology, attempt->outcome);
	follow(attempt->schedule->segments, attempt->schedule->nr, false);
}

static void try_search(void *arg)
{
	struct attempt *attempt = arg;

	run_prepare(attempt->schedule->scenario, attempt->schedule->topology, attempt->outcome);
	explore(attempt->bound, QUICK, attempt->outcome);
}

/* The kind and the first line; numbers may differ. */
static bool same_failure(const struct outcome *a, const struct outcome *b)
{
	const char *x = a->text, *y = b->text;

	if (!a->findings || !b->findings || strcmp(a->kind, b->kind))
		return false;
	for (;;) {
		while (isxdigit((unsigned char)*x))
			x++;
		while (isxdigit((unsigned char)*y))
			y++;
		if (*x != *y)
			return false;
		if (!*x || *x == '\n')
			return true;
		x++;
		y++;
	}
}

static unsigned int cost(const struct outcome *outcome)
{
	return schedule_preemptions(outcome->segments, outcome->nr_segments);
}

static void take(struct schedule *schedule, const struct outcome *outcome)
{
	schedule->nr = outcome->nr_segments;
	memcpy(schedule->segments, outcome->segments, schedule->nr * sizeof(struct segment));
	schedule->bound = cost(outcome);
}

/* @from without the preemption that ends segment @at; @way: how. False: there is none. */
static bool without(const struct schedule *from, unsigned int at, unsigned int way,
		    struct schedule *to)
{
	struct segment *segments = to->segments;

	*to = *from;
	switch (way) {
	case 0:		/* what comes in between comes later, by itself */
		if (at + 2 >= to->nr || segments[at + 2].thread != segments[at].thread)
			return false;
		segments[at + 2].steps += segments[at].steps;
		memmove(&segments[at], &segments[at + 2], (to->nr - at - 2) * sizeof(*segments));
		to->nr -= 2;
		return true;
	case 1:		/* the thread goes on until it cannot */
		segments[at].preempted = false;
		return true;
	default:	/* and nothing after that is chosen */
		segments[at].preempted = false;
		to->nr = at + 1;
		return true;
	}
}

/* Returns whether there was a preemption too many. */
static bool drop_one(struct schedule *schedule, const struct outcome *want,
		     struct outcome *outcome, struct schedule *shorter)
{
	struct attempt attempt = { .schedule = shorter, .outcome = outcome };
	unsigned int at, way;

	for (at = schedule->nr; at--; )
		for (way = 0; schedule->segments[at].preempted && way < 3; way++) {
			if (!without(schedule, at, way, shorter))
				continue;
			jobs_isolated(try_schedule, &attempt, outcome);
			if (!same_failure(want, outcome) || cost(outcome) >= schedule->bound)
				continue;
			take(schedule, outcome);
			return true;
		}
	return false;
}

static void search_below(struct schedule *schedule, const struct outcome *want,
			 struct outcome *outcome)
{
	struct attempt attempt = { .schedule = schedule, .outcome = outcome };

	if (!schedule->bound)
		return;
	attempt.bound = schedule->bound - 1;
	jobs_isolated(try_search, &attempt, outcome);
	if (same_failure(want, outcome))
		take(schedule, outcome);
}

/* Returns 0 with the failure in @outcome, or -1 when @schedule does not fail. */
int minimise(struct schedule *schedule, struct outcome *outcome)
{
	struct attempt attempt = { .schedule = schedule, .outcome = outcome };
	struct schedule *shorter = malloc(sizeof(*shorter));
	struct outcome *want = malloc(sizeof(*want)), counted = *outcome;
	int ret = -1;

	if (!shorter || !want)
		goto out;
	jobs_isolated(try_schedule, &attempt, outcome);
	if (!outcome->findings)
		goto out;
	*want = *outcome;
	take(schedule, outcome);
	while (drop_one(schedule, want, outcome, shorter))
		;
	search_below(schedule, want, outcome);
	jobs_isolated(try_schedule, &attempt, outcome);
	ret = 0;
out:
	outcome->schedules = counted.schedules;
	outcome->points = counted.points;
	outcome->bound = counted.bound;
	outcome->any_complete = counted.any_complete;
	outcome->ns = counted.ns;
	free(shorter);
	free(want);
	return ret;
}
