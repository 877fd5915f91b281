/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SCHEDULES_JOBS_H
#define SCHEDULES_JOBS_H
/* Processes: each scenario runs in one of its own, as a run that fails ends it. */
#include <string.h>
#include "engine.h"

/*
 * The kind of what is no finding: there were no memory, threads or processes to run it with.
 * A kind, so that a run can say it in the way that it says all else.
 */
#define KIND_CANNOT	"not possible"

static inline bool outcome_cannot(const struct outcome *outcome)
{
	return !strcmp(outcome->kind, KIND_CANNOT);
}

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

/* Runs all of them, some at a time. Returns 0, or the signal that ended it early. */
int jobs_run(struct job *jobs, unsigned int nr, unsigned int at_a_time);

/* minimise.c: the shortest schedule that fails in the same way; @schedule is changed. */
int minimise(struct schedule *schedule, struct outcome *outcome);

/* replay.c: the schedule again, with its trace on stdout. Returns an exit status. */
int replay(const char *text, bool json);
int minimise_text(const char *text, bool json);

/* report.c */
void report_job(const struct job *job);
/* @sig: the signal that ended it early, or 0. */
void report_total(const struct job *jobs, unsigned int nr, int sig);
/* The scenarios that are @wanted. Returns STATUS_OK. */
int report_list_json(const struct options *options,
		     bool (*wanted)(const struct schedule_scenario *scenario,
				    const struct options *options));
int report_json(const struct job *jobs, unsigned int nr, int sig);
/* @misfit: where the run left the given schedule, or NULL. Returns an exit status. */
int report_schedule(const char *text, const struct outcome *outcome, const char *misfit,
		    bool json);

enum { STATUS_OK, STATUS_FINDING, STATUS_USAGE, STATUS_CANNOT };

#endif
