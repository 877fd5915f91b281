/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SCHEDULES_SCHEDULE_H
#define SCHEDULES_SCHEDULE_H
/*
 * Schedule scenarios: a few threads whose every interleaving is tried.
 *
 * docs/schedules.md says how, and how to write one.
 */
#include <stdbool.h>
#include <stdint.h>
#include "usermm.h"

#define SCHEDULE_THREADS	4

struct schedule_run {
	struct um_world *world;
	const char *topology;		/* "regular", "lazy" */
	bool lazy;
	struct mm_struct *mm[8];	/* the scenario's; what it leaves exits at the end */
	struct um_file *file[2];	/* the same, put at the end */
	uint64_t result[8];		/* what threads hand to check() */
	bool lockless;			/* a walk was complete without any rwsem */
};

struct schedule_scenario {
	const char *name;		/* of --scenario */
	const char *rows;		/* requirements that it stands for: "R07 R42" */
	const char *topologies;		/* "regular,lazy", "regular" or "lazy" */
	const char *story;		/* one or two sentences */
	unsigned int nr_threads;	/* 2 to SCHEDULE_THREADS */
	unsigned int bound;		/* preemptions up to which all schedules are to be tried */
	bool lockless;			/* in some of these a walk is to go without any rwsem */
	bool large;			/* too large for that: by lot, if it is not asked for */
	/* Makes what the threads find. Runs alone. */
	void (*setup)(struct schedule_run *run);
	/*
	 * Any function of usermm.h, and what it is made of. No memory but that of the run,
	 * no time, no addresses in decisions.
	 */
	void (*thread[SCHEDULE_THREADS])(struct schedule_run *run);
	/* Looks at what they left. Runs alone; may be NULL. Then the world is checked. */
	void (*check)(struct schedule_run *run);
};

/* All there are, NULL at the end: scenarios.c. */
extern const struct schedule_scenario *const schedule_scenarios[];

/**
 * schedule_finding - something is wrong
 * @run: the run
 * @fmt: one line without its end
 *
 * To be called by setup(), threads and check(). The run goes on; it has failed.
 */
void schedule_finding(struct schedule_run *run, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
