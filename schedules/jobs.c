// SPDX-License-Identifier: GPL-2.0
/* Scenarios in processes of their own, several at a time; and what becomes of them. */
#include <errno.h>
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

/* No process could be had for it. */
static void note_no_process(struct outcome *outcome, int error)
{
	outcome->findings = 1;
	strcpy(outcome->kind, KIND_CANNOT);
	snprintf(outcome->text, sizeof(outcome->text), "no process: %s", strerror(error));
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
		/* ^C is for the one that counts; it ends us. */
		signal(SIGINT, SIG_IGN);
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
		note_no_process(outcome, errno);
		return;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
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

static void finish(struct job *job)
{
	struct schedule *schedule;

	job->pid = 0;
	job->outcome->ns = now_ns() - job->began;
	if (!job->outcome->findings || outcome_cannot(job->outcome))
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

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

static void start_job(struct job *job, unsigned int *running)
{
	job->began = now_ns();
	job->pid = start(run_job, job, job->outcome);
	if (job->pid > 0) {
		++*running;
		return;
	}
	note_no_process(job->outcome, errno);
	finish(job);
	if (!job->options->json)
		report_job(job);
}

/* What they have counted so far is in shared memory, and stays. */
static void stop_jobs(struct job *jobs, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (jobs[i].pid <= 0)
			continue;
		kill(jobs[i].pid, SIGKILL);
		while (waitpid(jobs[i].pid, NULL, 0) < 0 && errno == EINTR)
			;
		jobs[i].pid = 0;
		jobs[i].outcome->ns = now_ns() - jobs[i].began;
		if (!jobs[i].options->json)
			report_job(&jobs[i]);
	}
}

int jobs_run(struct job *jobs, unsigned int nr, unsigned int at_a_time)
{
	const struct sigaction act = { .sa_handler = on_signal };
	unsigned int next = 0, running = 0, i;
	int status, pid;

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	while ((next < nr || running) && !interrupted) {
		if (next < nr && running < at_a_time) {
			start_job(&jobs[next++], &running);
			continue;
		}
		pid = wait(&status);
		for (i = 0; i < next; i++)
			if (jobs[i].pid == pid && pid > 0)
				break;
		if (i == next)
			continue;
		running--;
		note_death(jobs[i].outcome, status);
		finish(&jobs[i]);
		if (!jobs[i].options->json)
			report_job(&jobs[i]);
	}
	stop_jobs(jobs, next);
	return interrupted;
}
