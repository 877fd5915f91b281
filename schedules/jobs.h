/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SCHEDULES_JOBS_H
#define SCHEDULES_JOBS_H
/* Processes: each scenario runs in one of its own, as a run that fails ends it. */
#include "engine.h"

/* What main() was told. */
struct options {
	const char *scenarios;		/* list, or NULL: all */
	const char *topologies;		/* list, or NULL: all that a scenario is for */
	bool bound_given;
	unsigned int bound;
	uint64_t limit;			/* schedules of each scenario; 0: no limit */
	bool pct;
	uint64_t seed;
	unsigned int changes;		/* of priorities, with pct */
	unsigned int jobs;
	bool json, minimise;
};

/* A scenario on a topology. */
struct job {
	const struct schedule_scenario *scenario;
	char topology[32];
	const struct options *options;
	struct outcome *outcome;
	int pid;			/* while it runs */
	uint64_t began;
	char *schedule;			/* that failed, as text; or NULL */
};

/* Runs @fn(@arg) in a process and waits for it. @outcome says how it was. */
void jobs_isolated(void (*fn)(void *arg), void *arg, struct outcome *outcome);
/* Shared memory, zeroed; NULL without memory. */
struct outcome *jobs_outcome(void);

/* Runs all of them, some at a time. */
void jobs_run(struct job *jobs, unsigned int nr, unsigned int at_a_time);

/* minimise.c: the shortest schedule that fails in the same way; @schedule is changed. */
int minimise(struct schedule *schedule, struct outcome *outcome);

/* replay.c: the schedule again, with its trace on stdout. Returns an exit status. */
int replay(const char *text, bool json);
int minimise_text(const char *text, bool json);

/* report.c */
void report_job(const struct job *job);
void report_total(const struct job *jobs, unsigned int nr);
int report_json(const struct job *jobs, unsigned int nr);
int report_schedule(const char *text, const struct outcome *outcome, bool json);

enum { STATUS_OK, STATUS_FINDING, STATUS_USAGE, STATUS_CANNOT };

#endif
