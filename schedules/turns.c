// SPDX-License-Identifier: GPL-2.0
/* Who has the turn: asks the strategy, and writes down how it went. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "engine.h"
#include "jobs.h"

/* More accesses than any scenario makes: it does not end. */
#define MAX_STEPS	2000000U

static struct outcome *outcome;
static const struct strategy *strategy;
static uint32_t steps;

unsigned int turns_default(unsigned int thread, unsigned int fair)
{
	unsigned int i, next;

	for (i = 1; i <= KSHIM_SCHED_THREADS + 1; i++) {
		next = (thread + i) % (KSHIM_SCHED_THREADS + 1);
		if (fair >> next & 1)
			return next;
	}
	return thread;
}

void turns_finding(const char *kind, const char *text)
{
	size_t len = strlen(outcome->text);

	if (!outcome->kind[0])
		snprintf(outcome->kind, sizeof(outcome->kind), "%s", kind);
	outcome->findings++;
	snprintf(outcome->text + len, sizeof(outcome->text) - len, "%s%s", len ? "\n" : "", text);
}

static void failed(const char *kind, const char *text, bool fatal)
{
	turns_finding(kind, text);
	/* No run after this one: threads are in the middle of something. */
	if (fatal)
		_exit(1);
}

static void segment_begin(unsigned int thread, bool by_default)
{
	if (outcome->nr_segments == MAX_SEGMENTS)
		failed("livelock", "turns change without end", true);
	outcome->segments[outcome->nr_segments++] = (struct segment) {
		.thread = thread, .by_default = by_default,
	};
}

static unsigned int choose(unsigned int thread, const struct kshim_sched_access *access,
			   unsigned int ready)
{
	unsigned int next = strategy->choose(thread, access, ready);

	if (next != thread) {
		outcome->segments[outcome->nr_segments - 1].preempted = true;
		segment_begin(next, false);
	}
	return next;
}

static unsigned int change(unsigned int thread, enum kshim_sched_stop why, unsigned int ready,
			   unsigned int fair)
{
	unsigned int next = strategy->change(thread, why, ready, fair);

	segment_begin(next, next == turns_default(thread, fair));
	outcome->segments[outcome->nr_segments - 1].unfair = !(fair >> next & 1);
	return next;
}

static void made_access(unsigned int thread, const struct kshim_sched_access *access)
{
	outcome->segments[outcome->nr_segments - 1].steps++;
	outcome->points++;
	if (++steps == MAX_STEPS)
		failed("livelock", "threads go on without end", true);
	strategy->access(thread, access);
}

static void freed(unsigned int thread, const void *addr, size_t size)
{
	strategy->freed(thread, addr, size);
}

void turns_prepare(struct outcome *new_outcome, unsigned int nr_threads)
{
	static const struct kshim_sched_ops ops = {
		.choose = choose,
		.change = change,
		.access = made_access,
		.freed = freed,
		.failed = failed,
	};

	outcome = new_outcome;
	if (kshim_sched_start(&ops, nr_threads))
		failed(KIND_CANNOT, "threads cannot be started", true);
}

void turns_begin(void)
{
	outcome->nr_segments = 0;
	steps = 0;
}

void turns_by(const struct strategy *new_strategy)
{
	strategy = new_strategy;
}
