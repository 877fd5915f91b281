// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim against storms: how many pages reclaim gets, and how much work is done, while
 * the process whose pages they are forks without end, or unmaps and protects memory
 * beside them. Contents are checked all the time.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define PAGES 512		/* that reclaim is after */
#define AT_A_TIME 64		/* of them are read again in each round */
#define SCRATCH 16		/* VMAs that are made and dropped in each round */
#define CGROUP "bench-storm"

enum storm { STORM_FORK, STORM_VMA };

static const char *const storms_names[] = {
	[STORM_FORK] = "fork",
	[STORM_VMA] = "vma",
	NULL,
};

struct stormer {
	pthread_t id;
	char *area, *scratch;
	long rounds;
	uint64_t until;
};

static enum storm storm;

static void fork_round(const char *piece, uint64_t token)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		check(piece, AT_A_TIME / 8, token);
		_exit(0);
	}
	wait_for(pid);
}

static void vma_round(char *scratch)
{
	int i;

	for (i = 0; i < SCRATCH; i++) {
		char *vma = scratch + i * 4 * PAGE;

		map_fixed(vma, 3 * PAGE, PROT_READ | PROT_WRITE);
		*(volatile char *)(vma + PAGE) = 1;
		if (mprotect(vma + PAGE, PAGE, PROT_READ) || munmap(vma, 3 * PAGE))
			die("mprotect or munmap");
	}
}

/* The area is in pieces of AT_A_TIME pages, each filled with a token of its own. */
static void *storm_thread(void *arg)
{
	struct stormer *stormer = arg;
	long piece;

	for (stormer->rounds = 0; now_ns() < stormer->until; stormer->rounds++) {
		piece = stormer->rounds % (PAGES / AT_A_TIME);
		check(stormer->area + piece * AT_A_TIME * PAGE, AT_A_TIME, piece);
		if (storm == STORM_FORK)
			fork_round(stormer->area + piece * AT_A_TIME * PAGE, piece);
		else
			vma_round(stormer->scratch);
	}
	return NULL;
}

/** storms() - rounds of the storm and pages of reclaim, per second */
void storms(void)
{
	struct walkers *walkers = walkers_new();
	double seconds = param("ms", 500) / 1e3;
	struct stormer stormers[2];
	long piece, rounds = 0, out;
	uint64_t begin;
	pid_t walker;
	int i;

	storm = choice("against", storms_names);
	cgroup_make(CGROUP);
	cgroup_enter(CGROUP);
	walkers->cgroup = CGROUP;
	walkers->bytes = AT_A_TIME * PAGE;
	for (i = 0; i < 2; i++) {
		stormers[i].area = map_spaced(1, PAGES);
		stormers[i].scratch = arena(SCRATCH * 4 * PAGE);
		for (piece = 0; piece < PAGES / AT_A_TIME; piece++)
			touch(stormers[i].area + piece * AT_A_TIME * PAGE, AT_A_TIME, piece);
	}
	walker = walker_start(walkers, WALKER_RECLAIM, 0);
	out = swapped_out();
	begin = now_ns();
	for (i = 0; i < 2; i++) {
		stormers[i].until = begin + seconds * 1e9;
		if (pthread_create(&stormers[i].id, NULL, storm_thread, &stormers[i]))
			die("pthread_create");
	}
	for (i = 0; i < 2; i++) {
		pthread_join(stormers[i].id, NULL);
		rounds += stormers[i].rounds;
	}
	seconds = (now_ns() - begin) / 1e9;
	out = swapped_out() - out;
	walkers->stop = 1;
	wait_for(walker);
	figure("per_s", rounds / seconds, "storm.%s.rounds", storms_names[storm]);
	figure("per_s", out / seconds, "storm.%s.swapped_out", storms_names[storm]);
	if (!out)
		die("reclaim got nothing");
	cgroup_leave();
	for (i = 0; i < 2; i++)
		for (piece = 0; piece < PAGES / AT_A_TIME; piece++)
			check(stormers[i].area + piece * AT_A_TIME * PAGE, AT_A_TIME, piece);
	for (i = 0; i < 2; i++)
		munmap(stormers[i].area, PAGES * PAGE);
	cgroup_remove(CGROUP);
}
