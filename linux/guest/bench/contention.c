// SPDX-License-Identifier: GPL-2.0
/*
 * What a call costs while walks run over the caller's pages: four threads of one
 * process, or the processes of one fork tree, split and merge, unmap and move VMAs;
 * reclaim and migration work on their pages all the time, on CPUs of their own. Each
 * call is timed.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench.h"

#define WORK_CPUS 4		/* callers share these; walkers have the others */
#define STAY_PAGES 64		/* touched again and again; one of them is mprotected */
#define MOVE_PAGES 4
#define WALK_PAGES 8		/* that reclaim or migration takes at a time */
#define TURN_NS 200000		/* see short_turns() */
#define MAX_WALKERS 16
#define MAX_CALLERS 64
#define DROP_PAGES 2
#define CALLS_IN_ROUND 5		/* two mprotect, one munmap, two mremap */
#define CGROUP "bench-contention"

enum call { CALL_MPROTECT, CALL_MUNMAP, CALL_MREMAP, NR_CALLS };

static const char *const call_names[NR_CALLS] = {
	[CALL_MPROTECT] = "mprotect",
	[CALL_MUNMAP] = "munmap",
	[CALL_MREMAP] = "mremap",
};

/**
 * struct caller - one thread or process
 * @id: of the thread
 * @index: of the caller
 * @stay: its memory that stays
 * @drop: where it maps and unmaps
 * @move: its memory that moves, to and from 2 MiB further
 * @ns: durations, by call
 */
struct caller {
	pthread_t id;
	int index;
	char *stay, *drop, *move;
	double *ns[NR_CALLS];
};

static long rounds;
static long between;		/* reads between two calls */
static int *go;			/* shared: set when all may start */

static double *shared_doubles(size_t n)
{
	double *values = mmap(NULL, n * sizeof(*values), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (values == MAP_FAILED)
		die("mmap");
	return values;
}

static void timed(double *ns, uint64_t begin)
{
	*ns = now_ns() - begin;
}

/* What a program does between calls: reads its memory, in part swapped out by now. */
static void work(struct caller *caller, long round)
{
	const volatile char *page = caller->stay + round % STAY_PAGES * PAGE;
	long i;

	for (i = 0; i < between; i++)
		(void)page[i % PAGE];
}

static void one_round(struct caller *caller, long round)
{
	char *page = caller->stay + (round % (STAY_PAGES - 2) + 1) * PAGE;
	char *there = caller->move + (1UL << 21);
	size_t bytes = MOVE_PAGES * PAGE;
	double **ns = caller->ns;
	uint64_t begin;

	map_fixed(caller->drop, DROP_PAGES * PAGE, PROT_READ | PROT_WRITE);
	*(volatile char *)caller->drop = 1;
	*(volatile char *)(caller->drop + PAGE) = 1;
	*(volatile char *)page = *(volatile char *)page;

	begin = now_ns();
	if (mprotect(page, PAGE, PROT_READ))
		die("mprotect");
	timed(&ns[CALL_MPROTECT][2 * round], begin);
	work(caller, 5 * round);
	begin = now_ns();
	if (mprotect(page, PAGE, PROT_READ | PROT_WRITE))
		die("mprotect");
	timed(&ns[CALL_MPROTECT][2 * round + 1], begin);
	work(caller, 5 * round + 1);
	begin = now_ns();
	if (munmap(caller->drop, DROP_PAGES * PAGE))
		die("munmap");
	timed(&ns[CALL_MUNMAP][round], begin);
	work(caller, 5 * round + 2);
	begin = now_ns();
	if (mremap(caller->move, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, there) != there)
		die("mremap");
	timed(&ns[CALL_MREMAP][2 * round], begin);
	work(caller, 5 * round + 3);
	begin = now_ns();
	if (mremap(there, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, caller->move) !=
	    caller->move)
		die("mremap");
	timed(&ns[CALL_MREMAP][2 * round + 1], begin);
	work(caller, 5 * round + 4);
}

/*
 * A timer that interrupts this CPU often, and does nothing else. Where the CPUs of a
 * guest take turns on one thread of the host, a turn lasts until the next interrupt:
 * short turns are what comes close to CPUs that run at the same time.
 */
static void short_turns(void)
{
	struct itimerspec often = {
		.it_interval.tv_nsec = TURN_NS,
		.it_value.tv_nsec = TURN_NS,
	};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	if (fd < 0 || timerfd_settime(fd, 0, &often, NULL))
		die("timerfd");
}

static void *caller_main(void *arg)
{
	struct caller *caller = arg;
	long round;

	pin(caller->index % WORK_CPUS);
	if (caller->index < WORK_CPUS)
		short_turns();
	while (!__atomic_load_n(go, __ATOMIC_ACQUIRE))
		usleep(1000);
	for (round = 0; round < rounds; round++) {
		one_round(caller, round);
		sched_yield();	/* rather here than in the middle of a call */
	}
	check(caller->stay, STAY_PAGES, caller->index);
	check(caller->move, MOVE_PAGES, caller->index);
	return NULL;
}

static struct caller *make_callers(int n, char *stay, size_t stride)
{
	struct caller *callers = calloc(n, sizeof(*callers));
	int i, call;

	if (!callers)
		die("calloc");
	go = (int *)shared_doubles(1);
	for (i = 0; i < n; i++) {
		callers[i].index = i;
		callers[i].stay = map_spaced_at(stay + i * stride, 1, STAY_PAGES);
		callers[i].drop = arena(DROP_PAGES * PAGE);
		callers[i].move = map_spaced(1, MOVE_PAGES);
		touch(callers[i].stay, STAY_PAGES, i);
		touch(callers[i].move, MOVE_PAGES, i);
		for (call = 0; call < NR_CALLS; call++)
			callers[i].ns[call] = shared_doubles(2 * rounds);
	}
	return callers;
}

static void figures(double *ns, long n, const char *who, const char *what)
{
	figure("us", percentile(ns, n, 50) / 1e3, "contention.%s.%s.p50", who, what);
	figure("us", percentile(ns, n, 90) / 1e3, "contention.%s.%s.p90", who, what);
	figure("us", percentile(ns, n, 99) / 1e3, "contention.%s.%s.p99", who, what);
}

static void report(struct caller *callers, int n, const char *who)
{
	double *one = calloc(n * 2 * rounds, sizeof(*one));
	double *all = calloc(n * CALLS_IN_ROUND * rounds, sizeof(*all));
	long total = 0;
	int call, i;

	if (!one || !all)
		die("calloc");
	for (call = 0; call < NR_CALLS; call++) {
		long each = call == CALL_MUNMAP ? rounds : 2 * rounds;

		for (i = 0; i < n; i++)
			memcpy(one + i * each, callers[i].ns[call], each * sizeof(*one));
		memcpy(all + total, one, n * each * sizeof(*one));
		total += n * each;
		figures(one, n * each, who, call_names[call]);
	}
	figures(all, total, who, "all");
	free(one);
	free(all);
}

static void run_threads(struct caller *callers, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (pthread_create(&callers[i].id, NULL, caller_main, &callers[i]))
			die("pthread_create");
}

/* A tree: every fourth process is a child of the first, the others of the one before. */
static pid_t run_processes(struct caller *callers, struct walkers *walkers, int i)
{
	pid_t pid = fork(), child = 0;

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	walkers->pids[i] = getpid();
	if (i % WORK_CPUS < WORK_CPUS - 1 && i + 1 < walkers->n)
		child = run_processes(callers, walkers, i + 1);
	caller_main(&callers[i]);
	if (child)
		wait_for(child);
	_exit(0);
}

static struct walkers *make_walkers(char *stay, size_t stride, int n)
{
	struct walkers *walkers = walkers_new();
	int i;

	walkers->cgroup = CGROUP;
	walkers->bytes = WALK_PAGES * PAGE;
	walkers->step = WALK_PAGES;
	walkers->addr = stay;
	walkers->pages = STAY_PAGES;
	walkers->stride = stride;
	walkers->n = n;
	for (i = 0; i < n; i++)
		walkers->pids[i] = getpid();
	return walkers;
}

/* Let all callers go, and wait until they are done. */
static void run(struct caller *callers, struct walkers *walkers, bool tree)
{
	pid_t pids[MAX_CALLERS];
	int i;

	if (tree)
		for (i = 0; i < walkers->n; i += WORK_CPUS)
			pids[i] = run_processes(callers, walkers, i);
	else
		run_threads(callers, walkers->n);
	usleep(50000);
	__atomic_store_n(go, 1, __ATOMIC_RELEASE);
	for (i = 0; i < walkers->n; i++)
		if (!tree)
			pthread_join(callers[i].id, NULL);
		else if (i % WORK_CPUS == 0)
			wait_for(pids[i]);
}

/**
 * contention() - median and 99th percentile of each call
 *
 * With "processes=1" there are four threads, else that many processes; "walkers" is the
 * number of processes that reclaim, and of those that migrate.
 */
void contention(void)
{
	int processes = (int)param("processes", 1), n_walkers = (int)param("walkers", 1);
	int n = processes > 1 ? processes : WORK_CPUS, i;
	const char *who = processes > 1 ? "tree" : "threads";
	size_t stride = STAY_PAGES * PAGE * 2;
	pid_t walking[2 * MAX_WALKERS];
	struct walkers *walkers;
	struct caller *callers;
	uint64_t begin;
	char *stay;

	between = param("between", 5000);
	rounds = param("calls", 1000);
	if (rounds < 1 || n > MAX_CALLERS || n_walkers > MAX_WALKERS ||
	    nr_cpus() < WORK_CPUS + 2)
		die("at most %d processes and %d walkers, at least %d CPUs", MAX_CALLERS,
		    MAX_WALKERS, WORK_CPUS + 2);
	cgroup_make(CGROUP);
	cgroup_enter(CGROUP);
	stay = arena(n * stride);
	callers = make_callers(n, stay, stride);
	walkers = make_walkers(stay, stride, n);
	for (i = 0; i < 2 * n_walkers; i++)
		walking[i] = walker_start(walkers, i % 2, WORK_CPUS + i % 2);
	begin = now_ns();
	run(callers, walkers, processes > 1);
	begin = now_ns() - begin;
	walkers->stop = 1;
	for (i = 0; i < 2 * n_walkers; i++)
		wait_for(walking[i]);
	report(callers, n, who);
	figure("rounds", walkers->rounds[WALKER_RECLAIM], "contention.%s.reclaims", who);
	figure("rounds", walkers->rounds[WALKER_MIGRATE], "contention.%s.migrations", who);
	figure("ms", begin / 1e6, "contention.%s.time", who);
	cgroup_leave();
	for (i = 0; i < n; i++)
		munmap(callers[i].stay, STAY_PAGES * PAGE);
}
