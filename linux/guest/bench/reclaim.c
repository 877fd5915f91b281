// SPDX-License-Identifier: GPL-2.0
/*
 * What a walk costs, by who maps the page and whose descendants might: time to migrate
 * a page and to swap it out, in a process with many idle children.
 *
 *   exclusive  no children at all
 *   cowed      the process wrote to the page after the children were forked: they have
 *              the old page, only the process has the new one
 *   younger    the page is in a VMA made after the children were forked
 *   shared     all children map the page
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define MAX_AREAS 64

enum page { PAGE_EXCLUSIVE, PAGE_COWED, PAGE_YOUNGER, PAGE_SHARED, NR_KINDS };

static const char *const kinds[] = {
	[PAGE_EXCLUSIVE] = "exclusive",
	[PAGE_COWED] = "cowed",
	[PAGE_YOUNGER] = "younger",
	[PAGE_SHARED] = "shared",
	[NR_KINDS] = NULL,
};

static enum page kind;
static long children, pages, moves, outs;
static char *areas[MAX_AREAS];

static void cgroup_of(long area, char name[32])
{
	snprintf(name, 32, "bench-area-%ld", area);
}

/* Each area's pages belong to a cgroup of their own, from which they can be reclaimed. */
static void make_areas(void)
{
	char cgroup[32];
	long i;

	for (i = 0; i < outs; i++) {
		cgroup_of(i, cgroup);
		cgroup_make(cgroup);
		cgroup_enter(cgroup);
		areas[i] = map_spaced(1, pages);
		touch(areas[i], pages, i);
	}
	cgroup_leave();
}

static void visits_figure(const char *what, long before, long n)
{
	long now = rmap_visits();

	if (now >= 0)
		figure("visits", (double)(now - before) / n, "%s.%s.%ld.visits", what,
		       kinds[kind], children);
}

/* To and fro between the nodes, in one call for all pages of the area. */
static void measure_migration(char *area)
{
	double *times = calloc(moves, sizeof(*times));
	long i, visits = 0;
	uint64_t begin;

	if (!times)
		die("calloc");
	for (i = -2; i < moves; i++) {
		if (!i)
			visits = rmap_visits();
		begin = now_ns();
		migrate(0, area, pages, i & 1, pages - pages / 50);
		if (i >= 0)	/* the first two bring all pages to where i says */
			times[i] = (double)(now_ns() - begin) / pages;
	}
	figure("ns", median(times, moves), "migrate.%s.%ld", kinds[kind], children);
	visits_figure("migrate", visits, moves * pages);
	free(times);
}

/*
 * Nobody has used the pages lately: reclaim takes them in one pass. The children never
 * touched them, and fork does not hand on the accessed bit.
 */
static void age(void)
{
	write_file("/proc/self/clear_refs", "2");
}

/*
 * MADV_PAGEOUT leaves alone what others map as well; shared pages go through reclaim of
 * the cgroup that they belong to: a walk that looks whether they are in use, one that
 * unmaps them.
 */
static void measure_reclaim(void)
{
	double *times = calloc(outs, sizeof(*times));
	long i, swapped, visits, total = 0;
	char cgroup[32];
	uint64_t begin;

	if (!times)
		die("calloc");
	age();
	visits = rmap_visits();
	for (i = 0; i < outs; i++) {
		cgroup_of(i, cgroup);
		begin = now_ns();
		cgroup_reclaim(cgroup, pages * PAGE);
		times[i] = now_ns() - begin;
		swapped = count_swapped(areas[i], pages);
		if (swapped < pages - pages / 10)
			die("%ld of %ld pages swapped out", swapped, pages);
		times[i] /= swapped;
		total += swapped;
	}
	figure("ns", median(times, outs), "pageout.%s.%ld", kinds[kind], children);
	visits_figure("pageout", visits, total);
	free(times);
}

static void measure_pageout(char *area, uint64_t token)
{
	double *times = calloc(moves, sizeof(*times));
	long i, swapped, visits = 0;
	uint64_t begin;

	if (!times)
		die("calloc");
	for (i = -1; i < moves; i++) {
		if (!i)
			visits = rmap_visits();
		begin = now_ns();
		if (madvise(area, pages * PAGE, MADV_PAGEOUT))
			die("MADV_PAGEOUT");
		if (i >= 0)
			times[i] = (double)(now_ns() - begin) / pages;
		swapped = count_swapped(area, pages);
		if (swapped < pages - pages / 50)
			die("%ld of %ld pages swapped out", swapped, pages);
		check(area, pages, token);
		touch(area, pages, token);
	}
	figure("ns", median(times, moves), "pageout.%s.%ld", kinds[kind], children);
	visits_figure("pageout", visits, moves * pages);
	free(times);
}

/** reclaim() - time and visits per page, to migrate it and to swap it out */
void reclaim(void)
{
	struct brood brood;
	char cgroup[32];
	long i;

	kind = choice("page", kinds);
	children = param("children", 0);
	pages = param("pages", 256);
	moves = param("moves", 10);
	outs = kind == PAGE_SHARED ? param("outs", 5) : 1;
	if (pages < 1 || moves < 1 || outs < 1 || outs > MAX_AREAS)
		die("at least one page, one move, and 1 to %d areas", MAX_AREAS);
	pin(1);
	if (kind != PAGE_YOUNGER)
		make_areas();
	brood_start(&brood, (int)children, NULL, NULL);
	if (kind == PAGE_YOUNGER)
		make_areas();
	if (kind == PAGE_COWED)
		touch(areas[0], pages, 0);
	measure_migration(areas[0]);
	if (kind == PAGE_SHARED)
		measure_reclaim();
	else
		measure_pageout(areas[0], 0);
	for (i = 0; i < outs; i++)
		check(areas[i], pages, i);
	brood_end(&brood);
	for (i = 0; i < outs; i++) {
		munmap(areas[i], pages * PAGE);
		cgroup_of(i, cgroup);
		cgroup_remove(cgroup);
	}
}
