// SPDX-License-Identifier: GPL-2.0
/* Scenarios in processes of their own, several at a time; and what becomes of them. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "jobs.h"

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

struct outcome *jobs_outcome(void)
{
	void *memory = mmap(NULL, sizeof(struct outcome), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* A process that could not say itself what is wrong. */
static void note_death(struct outcome *outcome, int status)
{
	if (outcome->findings || (WIFEXITED(status) && !WEXITSTATUS(status)))
		return;
	outcome->findings = 1;
	snprintf(outcome->kind, sizeof(outcome->kind), "crash");
	if (WIFSIGNALED(status))
		snprintf(outcome->text, sizeof(outcome->text), "signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(outcome->text, sizeof(outcome->text), "exit status %d",
			 WEXITSTATUS(status));
}

/* -- Somebody who looks whether it goes on ------------------------------------------------ */

/* Of processor time, which has nothing to do with how busy the machine is. */
#define WATCH_SECONDS	10

static struct outcome *watched;
static uint64_t seen;

static void look(int sig)
{
	uint64_t progress = watched->points + watched->schedules;

	(void)sig;
	if (progress == seen) {
		/* Of a loop that has no schedule point. Only what a signal handler may do. */
		strcpy(watched->kind, "livelock");
		strcpy(watched->text, "a thread goes on and accesses nothing that is shared");
		watched->findings = 1;
		_exit(1);
	}
	seen = progress;
}

static void watch(struct outcome *outcome)
{
	const struct itimerval every = {
		.it_interval.tv_sec = WATCH_SECONDS, .it_value.tv_sec = WATCH_SECONDS,
	};

	watched = outcome;
	signal(SIGPROF, look);
	setitimer(ITIMER_PROF, &every, NULL);
}

#ifdef SCHEDULES_GCOV
void __gcov_dump(void);
#endif

/* What gcov counted: exit() would write it down, _exit() does not. */
static void write_counts(void)
{
#ifdef SCHEDULES_GCOV
	__gcov_dump();
#endif
}

static int start(void (*fn)(void *arg), void *arg, struct outcome *outcome)
{
	int pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		/* Whoever stops us does not have to know of it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		watch(outcome);
		fn(arg);
		fflush(NULL);
		write_counts();
		_exit(0);
	}
	return pid;
}

/* -- Jobs ---------------------------------------------------------------------------------- */

void jobs_isolated(void (*fn)(void *arg), void *arg, struct outcome *outcome)
{
	int status = 0, pid;

	memset(outcome, 0, sizeof(*outcome));
	pid = start(fn, arg, outcome);
	if (pid < 0) {
		note_death(outcome, 1 << 8);
		return;
	}
	waitpid(pid, &status, 0);
	note_death(outcome, status);
}

static void run_job(void *arg)
{
	struct job *job = arg;
	const struct options *options = job->options;

	run_prepare(job->scenario, job->topology, job->outcome);
	if (options->pct)
		pct(options->limit, options->seed, options->changes, job->outcome);
	else
		explore(options->bound_given ? options->bound : job->scenario->bound,
			options->limit, job->outcome);
}

static void finish(struct job *job, int status)
{
	struct schedule *schedule;

	job->pid = 0;
	note_death(job->outcome, status);
	job->outcome->ns = now_ns() - job->began;
	if (!job->outcome->findings)
		return;
	job->schedule = schedule_text(job->scenario, job->topology, job->outcome);
	if (!job->options->minimise || !job->schedule)
		return;
	schedule = malloc(sizeof(*schedule));
	if (schedule && !schedule_parse(job->schedule, schedule) &&
	    !minimise(schedule, job->outcome)) {
		free(job->schedule);
		job->schedule = schedule_text(job->scenario, job->topology, job->outcome);
	}
	free(schedule);
}

void jobs_run(struct job *jobs, unsigned int nr, unsigned int at_a_time)
{
	unsigned int next = 0, running = 0, i;
	int status, pid;

	while (next < nr || running) {
		if (next < nr && running < at_a_time) {
			jobs[next].began = now_ns();
			jobs[next].pid = start(run_job, &jobs[next], jobs[next].outcome);
			if (jobs[next].pid > 0)
				running++;
			else
				finish(&jobs[next], 1 << 8);
			next++;
			continue;
		}
		pid = wait(&status);
		for (i = 0; i < next; i++)
			if (jobs[i].pid == pid && pid > 0)
				break;
		if (i == next)
			continue;
		running--;
		finish(&jobs[i], status);
		if (!jobs[i].options->json)
			report_job(&jobs[i]);
	}
}
