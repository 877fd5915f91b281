// SPDX-License-Identifier: GPL-2.0
/* A given schedule, once more; with a trace of what the threads did, if wanted. */
#include <execinfo.h>
#include <stdio.h>
#include "engine.h"

#define CALLERS		12

extern const char __executable_start;

static struct {
	const struct segment *segments;
	unsigned int nr, at;
	uint32_t steps;			/* of segments[at] */
	bool trace;
} now;

static bool over(void)
{
	return now.at >= now.nr;
}

/* The next segment's thread, if it can go on; else as if nobody had chosen. */
static unsigned int next_segment(unsigned int instead, unsigned int ready)
{
	now.at++;
	now.steps = 0;
	if (!over() && ready >> now.segments[now.at].thread & 1)
		return now.segments[now.at].thread;
	return instead;
}

static unsigned int follow_choose(unsigned int thread, const struct kshim_sched_access *access,
				  unsigned int ready)
{
	(void)access;
	if (over() || !now.segments[now.at].preempted ||
	    now.steps < now.segments[now.at].steps)
		return thread;
	return next_segment(thread, ready);
}

static unsigned int follow_change(unsigned int thread, enum kshim_sched_stop why,
				  unsigned int ready, unsigned int fair)
{
	static const char *const whys[] = {
		[KSHIM_SCHED_BLOCKED] = "waits",
		[KSHIM_SCHED_YIELDED] = "yields",
		[KSHIM_SCHED_ENDED] = "ends",
	};

	if (now.trace && why != KSHIM_SCHED_BEGIN)
		printf("%u %s\n", thread, whys[why]);
	if (why == KSHIM_SCHED_BEGIN)
		now.at = -1;
	return next_segment(turns_default(thread, fair), ready);
}

/* Who does it, and for whom: addresses of code. */
static void print_callers(void)
{
	void *callers[CALLERS];
	int nr = backtrace(callers, CALLERS), i;

	/* One less: within the call, and not behind it. */
	for (i = 1; i < nr; i++)
		printf("%s%lx", i > 1 ? "," : "",
		       (unsigned long)((char *)callers[i] - &__executable_start - 1));
}

static void follow_access(unsigned int thread, const struct kshim_sched_access *access)
{
	static const char *const classes[] = { "reads", "updates", "writes" };
	char what[128];

	now.steps++;
	if (!now.trace)
		return;
	kshim_sched_describe(access->addr, what, sizeof(what));
	printf("%u %s @", thread, classes[access->class]);
	print_callers();
	printf(" %s\n", what);
	fflush(stdout);
}

static void follow_freed(unsigned int thread, const void *addr, size_t size)
{
	char what[128];

	if (!now.trace)
		return;
	kshim_sched_describe(addr, what, sizeof(what));
	printf("%u frees @", thread);
	print_callers();
	printf(" %zu bytes, %s\n", size, what);
}

bool follow(const struct segment *segments, unsigned int nr, bool trace)
{
	static const struct strategy strategy = {
		.choose = follow_choose,
		.change = follow_change,
		.access = follow_access,
		.freed = follow_freed,
	};

	now.segments = segments;
	now.nr = nr;
	now.trace = trace;
	turns_by(&strategy);
	return run_once();
}
