// SPDX-License-Identifier: GPL-2.0
/*
 * Calls and faults that make, split, merge, move and drop VMAs, in loops. Each batch is
 * timed as a whole, so that reading the clock does not count, and the median of the
 * batches is the figure.
 */
#define _GNU_SOURCE
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define BATCH 500		/* VMAs in a batch */
#define CALLS 100		/* in a batch: over before VMAs that they replaced are freed */
#define SPLIT_PAGES 16		/* of the VMA that is split and merged */
#define MOVE_PAGES 4		/* of the VMA that is moved */
#define AT_ONCE 10000		/* VMAs unmapped by one call */
#define MAX_THREADS 8

enum loop { LOOP_MMAP, LOOP_FAULT, LOOP_MUNMAP, LOOP_SPLIT, LOOP_MOVE, NR_LOOPS };

static const char *const loop_names[NR_LOOPS] = {
	[LOOP_MMAP] = "mmap",
	[LOOP_FAULT] = "first_fault",
	[LOOP_MUNMAP] = "munmap",
	[LOOP_SPLIT] = "split_merge",
	[LOOP_MOVE] = "mremap_move",
};

struct thread {
	pthread_t id;
	int cpu;
	char *spaced, *split, *move;
	double *times[NR_LOOPS];
};

static long reps;
static bool quiet;		/* one thread only: start_clock() may wait */
static pthread_barrier_t start;

/*
 * Start the clock. VMAs are freed after a grace period, by softirqs that would else fall
 * into whatever is timed next: let them run first. A pinned thread that has waited for a
 * grace period knows that all that was queued on its CPU before has been done.
 */
static uint64_t start_clock(void)
{
	if (quiet && syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		die("membarrier");
	return now_ns();
}

static double each_since(uint64_t begin, long n)
{
	return (double)(now_ns() - begin) / n;
}

static char *nth(char *base, long i)
{
	return base + i * 2 * PAGE;
}

/* One-page VMAs with holes between them: map all, touch all, unmap one by one. */
static void spaced_batch(struct thread *thread, double *map, double *fault, double *unmap)
{
	uint64_t begin = start_clock();
	long i;

	map_spaced_at(thread->spaced, BATCH, 1);
	*map = each_since(begin, BATCH);
	begin = start_clock();
	for (i = 0; i < BATCH; i++)
		*(volatile char *)nth(thread->spaced, i) = 1;
	*fault = each_since(begin, BATCH);
	begin = start_clock();
	for (i = 0; i < BATCH; i++)
		if (munmap(nth(thread->spaced, i), PAGE))
			die("munmap");
	*unmap = each_since(begin, BATCH);
}

/* The middle page loses and regains the right to be written: one VMA, three, one. */
static double split_batch(char *area)
{
	char *middle = area + SPLIT_PAGES / 2 * PAGE;
	uint64_t begin = start_clock();
	long i;

	for (i = 0; i < CALLS; i++)
		if (mprotect(middle, PAGE, PROT_READ) ||
		    mprotect(middle, PAGE, PROT_READ | PROT_WRITE))
			die("mprotect");
	return each_since(begin, CALLS);
}

static void move(char *from, char *to)
{
	if (mremap(from, MOVE_PAGES * PAGE, MOVE_PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   to) != to)
		die("mremap from %p to %p", from, to);
}

/* A touched VMA goes to and fro. */
static double move_batch(char *area)
{
	char *other = area + (1UL << 21);
	uint64_t begin = start_clock();
	long i;

	for (i = 0; i < CALLS / 2; i++) {
		move(area, other);
		move(other, area);
	}
	return each_since(begin, CALLS);
}

static void *loops_thread(void *arg)
{
	struct thread *thread = arg;
	double map, fault, unmap, split, moved;
	long i;

	pin(thread->cpu);
	touch(thread->split, SPLIT_PAGES, 1);
	touch(thread->move, MOVE_PAGES, 2);
	pthread_barrier_wait(&start);
	for (i = -1; i < reps; i++) {
		spaced_batch(thread, &map, &fault, &unmap);
		split = split_batch(thread->split);
		moved = move_batch(thread->move);
		if (i < 0)	/* the first fills the caches */
			continue;
		thread->times[LOOP_MMAP][i] = map;
		thread->times[LOOP_FAULT][i] = fault;
		thread->times[LOOP_MUNMAP][i] = unmap;
		thread->times[LOOP_SPLIT][i] = split;
		thread->times[LOOP_MOVE][i] = moved;
	}
	check(thread->split, SPLIT_PAGES, 1);
	check(thread->move, MOVE_PAGES, 2);
	return NULL;
}

static void unmap_at_once(void)
{
	double *times = calloc(reps, sizeof(*times));
	char *base = arena(AT_ONCE * 2 * PAGE);
	long i, vma;

	if (!times)
		die("calloc");
	for (i = 0; i < reps; i++) {
		uint64_t begin;

		map_spaced_at(base, AT_ONCE, 1);
		for (vma = 0; vma < AT_ONCE; vma++)
			*(volatile char *)nth(base, vma) = 1;
		begin = start_clock();
		if (munmap(base, AT_ONCE * 2 * PAGE))
			die("munmap");
		times[i] = (double)(now_ns() - begin) / AT_ONCE;
	}
	figure("ns", median(times, reps), "munmap.at_once");
	free(times);
}

/**
 * vma_loops() - first fault, mprotect, munmap and mremap
 *
 * With "threads=2", two threads of one process do the same, each on its own memory and
 * CPU; the figures' names then end in ".2t". "at_once_reps=0" leaves out the munmap of
 * all VMAs by one call.
 */
void vma_loops(void)
{
	int n = (int)param("threads", 1), i, loop;
	struct thread threads[MAX_THREADS];
	double *times[NR_LOOPS];

	reps = param("reps", 20);
	if (n < 1 || n > MAX_THREADS || reps < 1)
		die("1 to %d threads", MAX_THREADS);
	if (pthread_barrier_init(&start, NULL, n))
		die("pthread_barrier_init");
	for (loop = 0; loop < NR_LOOPS; loop++) {
		times[loop] = calloc(n * reps, sizeof(**times));
		if (!times[loop])
			die("calloc");
	}
	quiet = n == 1;
	pin(1);
	for (i = 0; i < n; i++) {
		threads[i].cpu = i + 1;
		threads[i].spaced = arena(BATCH * 2 * PAGE);
		threads[i].split = map_spaced(1, SPLIT_PAGES);
		threads[i].move = map_spaced(1, MOVE_PAGES);
		for (loop = 0; loop < NR_LOOPS; loop++)
			threads[i].times[loop] = times[loop] + i * reps;
		/* One alone is not a second thread: calls would have to care for the first. */
		if (n == 1)
			loops_thread(&threads[i]);
		else if (pthread_create(&threads[i].id, NULL, loops_thread, &threads[i]))
			die("pthread_create");
	}
	for (i = 0; n > 1 && i < n; i++)
		pthread_join(threads[i].id, NULL);
	for (loop = 0; loop < NR_LOOPS; loop++)
		figure("ns", median(times[loop], n * reps), "%s%s", loop_names[loop],
		       n > 1 ? ".2t" : "");
	reps = param("at_once_reps", 5);
	if (n == 1 && reps)
		unmap_at_once();
}
