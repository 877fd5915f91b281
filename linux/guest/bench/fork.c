// SPDX-License-Identifier: GPL-2.0
/* How long fork, exit and wait take, of a process with many small VMAs; and a shell's. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define WARM_UP 2
#define MAX_THREADS 8

static long reps;
static int threads;
static pthread_barrier_t start;

static void fork_once(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid)
		_exit(0);
	wait_for(pid);
}

static void *fork_thread(void *arg)
{
	double *times = arg;
	uint64_t begin;
	long i;

	for (i = 0; i < WARM_UP; i++)
		fork_once();
	pthread_barrier_wait(&start);
	for (i = 0; i < reps; i++) {
		begin = now_ns();
		fork_once();
		times[i] = now_ns() - begin;
	}
	return NULL;
}

/**
 * fork_latency() - from fork() to the end of the parent's wait, child exits at once
 *
 * Each VMA is one page, written to, with a hole behind it. Threads fork at the same
 * time; each pair of parent and child stays on a CPU of its own.
 */
void fork_latency(void)
{
	long vmas = param("vmas", 1000), i;
	pthread_t ids[MAX_THREADS];
	const char *suffix;
	double *times;
	char *base;

	reps = param("reps", 20);
	threads = (int)param("threads", 1);
	if (threads < 1 || threads > MAX_THREADS || reps < 1)
		die("1 to %d threads", MAX_THREADS);
	suffix = threads > 1 ? ".2t" : "";
	base = map_spaced(vmas, 1);
	for (i = 0; i < vmas; i++)
		base[i * 2 * PAGE] = 1;
	times = calloc(reps * threads, sizeof(*times));
	if (!times || pthread_barrier_init(&start, NULL, threads))
		die("cannot set up");
	if (threads == 1) {
		pin(1);
		fork_thread(times);
	} else {
		for (i = 0; i < threads; i++)
			if (pthread_create(&ids[i], NULL, fork_thread, times + i * reps))
				die("pthread_create");
		for (i = 0; i < threads; i++)
			pthread_join(ids[i], NULL);
	}
	figure("us", median(times, reps * threads) / 1e3, "fork.%ld%s", vmas, suffix);
}

/**
 * shell_loop() - how long a shell takes to fork and exec a program
 *
 * COMMAND is to run it "execs" times; "execs=50" says how often that is. With "chroot=1"
 * the current directory is its root.
 */
void shell_loop(void)
{
	long execs = param("execs", 50), here = param("chroot", 0), i;
	double *times;
	char **argv = command();

	reps = param("reps", 5);
	times = calloc(reps, sizeof(*times));
	if (!times)
		die("calloc");
	pin(1);
	for (i = -1; i < reps; i++) {
		uint64_t begin = now_ns();
		pid_t pid = vfork();

		if (pid < 0)
			die("vfork");
		if (!pid) {
			if (here && chroot("."))
				_exit(126);
			execvp(argv[0], argv);
			_exit(127);
		}
		wait_for(pid);
		if (i >= 0)	/* the first fills the caches */
			times[i] = now_ns() - begin;
	}
	figure("us", median(times, reps) / 1e3 / execs, "shell_exec");
}
