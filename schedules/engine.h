/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SCHEDULES_ENGINE_H
#define SCHEDULES_ENGINE_H
/*
 * What the files of the engine share. docs/schedules.md says what is done and why.
 *
 *	main.c		options			report.c	what is printed
 *	jobs.c		processes		run.c		one run of a scenario
 *	turns.c		who has the turn, by a strategy:
 *	explore.c	all schedules up to a bound; races.c knows where it matters
 *	pct.c		schedules at random
 *	follow.c	a given one; minimise.c makes it shorter
 *	text.c		schedules as text
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <kshim/sched.h>
#include "schedule.h"

/* -- A schedule, as it went -------------------------------------------------------------- */

#define MAX_SEGMENTS	20000

/* One thread's turn. */
struct segment {
	uint32_t steps;			/* accesses that it made */
	uint8_t thread;
	bool preempted;			/* it could have gone on */
	bool unfair;			/* it had yielded, and others were to go first */
	bool by_default;		/* the thread is the one that nobody had to choose */
};

/* -- What a process hands to the one that started it: shared memory ----------------------- */

#define MAX_TEXT	4096

struct outcome {
	/* The schedule that runs, or failed. */
	unsigned int nr_segments;
	struct segment segments[MAX_SEGMENTS];
	/* What is wrong with it. */
	char kind[32];			/* "" : nothing */
	char text[MAX_TEXT];		/* lines */
	unsigned long findings;
	/* How far it is. */
	uint64_t schedules, points;
	uint64_t lockless;		/* runs with a walk that took no rwsem */
	uint64_t distinct;		/* of the schedules: all others are as good as one of these */
	unsigned int bound;		/* complete up to here, if any: */
	bool any_complete, complete;
	uint64_t ns;
};

/* -- One run (run.c) ---------------------------------------------------------------------- */

/* Once in a process; then runs of this scenario. Findings go to @outcome. */
void run_prepare(const struct schedule_scenario *scenario, const char *topology,
		 struct outcome *outcome);
/* One run. Returns false when it has failed: the process is of no use any more. */
bool run_once(void);
/* All that were to be run have been: has anything happened that the scenario is there for? */
void run_complete(void);

/* -- Turns (turns.c) ---------------------------------------------------------------------- */

/* Decisions of a run are counted from 0: each call of one of the first two is one. */
struct strategy {
	/* As in struct kshim_sched_ops. */
	unsigned int (*choose)(unsigned int thread, const struct kshim_sched_access *access,
			       unsigned int ready);
	unsigned int (*change)(unsigned int thread, enum kshim_sched_stop why,
			       unsigned int ready, unsigned int fair);
	void (*access)(unsigned int thread, const struct kshim_sched_access *access);
	void (*freed)(unsigned int thread, const void *addr, size_t size);
};

void turns_prepare(struct outcome *outcome, unsigned int nr_threads);
/* A run begins. */
void turns_begin(void);
/* Who decides from now on. */
void turns_by(const struct strategy *strategy);
/* Who goes on when nobody says who. @fair is not empty. */
unsigned int turns_default(unsigned int thread, unsigned int fair);
/* A finding; the run goes on. @kind: of the first. */
void turns_finding(const char *kind, const char *text);

/* -- Strategies -------------------------------------------------------------------------- */

/* explore.c: all schedules with up to @bound preemptions, @limit at most (0: no limit). */
bool explore(unsigned int bound, uint64_t limit, struct outcome *outcome);
/* Without reductions: for tests of the reductions. */
extern bool explore_all;

/* pct.c: @nr schedules at random, with @changes changes of priority each. */
bool pct(uint64_t nr, uint64_t seed, unsigned int changes, struct outcome *outcome);

/* follow.c: what is not possible of @segments is skipped; from their end on, by default. */
bool follow(const struct segment *segments, unsigned int nr, bool trace);

/* -- races.c: which accesses of a run nothing orders but each other --------------------------- */

#define NO_DECISION	UINT32_MAX

/* Room for element @nr of an array; there is memory, or the process ends. */
void *engine_grow(void *array, size_t nr, size_t *max, size_t size);

/* A run begins. */
void races_begin(void);
/* Of the run, so far: the same for runs that differ only in the order of what does not matter. */
uint64_t races_trace(void);
/*
 * @thread makes an access, for which it has @waited, and which belongs to @decision, or to
 * NO_DECISION. Calls @race for those of others that it races with, with the decision that they
 * belong to, if they do to one.
 */
void races_access(unsigned int thread, const struct kshim_sched_access *access, bool waited,
		  uint32_t decision, void (*race)(uint32_t decision));
/* @thread frees memory: writes to all words there that this run has accessed. */
void races_freed(unsigned int thread, const void *addr, size_t size,
		 void (*race)(uint32_t decision));

static inline bool classes_depend(enum kshim_sched_class a, enum kshim_sched_class b)
{
	return a != b || a == KSHIM_SCHED_WRITE;
}

/* -- Text (text.c) -------------------------------------------------------------------------- */

struct schedule {
	const struct schedule_scenario *scenario;
	char topology[32];
	unsigned int bound;
	unsigned int nr;
	struct segment segments[MAX_SEGMENTS];
};

/* Malloc'ed; NULL without memory. */
char *schedule_text(const struct schedule_scenario *scenario, const char *topology,
		    const struct outcome *outcome);
/* Returns NULL, or what is wrong. */
const char *schedule_parse(const char *text, struct schedule *schedule);
const struct schedule_scenario *schedule_scenario_find(const char *name);
/* What counts as one: to be preempted, and to go on instead of others after a yield. */
unsigned int schedule_preemptions(const struct segment *segments, unsigned int nr);

#endif
