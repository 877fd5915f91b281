// SPDX-License-Identifier: GPL-2.0
/*
 * The three schedule scenarios to begin with: a walk against fork, munmap and mremap
 *
 * Reclaim is the walk: it unmaps the page from wherever it finds it. What it misses
 * shows as a page that is in swap and mapped, which the check of the world reports.
 */
#include <sys/mman.h>
#include "schedule.h"

#define PG	UM_PAGE_SIZE
#define HERE	0x10000000UL
#define THERE	0x10010000UL
#define TOKEN	42

/* One page, written. */
static void one_page(struct schedule_run *run)
{
	uint64_t at;

	if (um_mm_create(run->world, &run->mm[0]) ||
	    um_mmap(run->mm[0], HERE, PG, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0, &at) ||
	    um_write(run->mm[0], HERE, TOKEN))
		schedule_finding(run, "setup failed");
}

/* The same, in a process and its child. */
static void one_page_twice(struct schedule_run *run)
{
	one_page(run);
	if (um_fork(run->mm[0], &run->mm[1]))
		schedule_finding(run, "setup failed");
}

static void reclaim(struct schedule_run *run)
{
	um_reclaim(run->world, 1);
}

static void expect(struct schedule_run *run, unsigned int mm, uint64_t addr)
{
	uint64_t content = 0;
	int err = um_read(run->mm[mm], addr, &content);

	if (err || content != TOKEN)
		schedule_finding(run, "mm[%u] reads %llu, error %d", mm,
				 (unsigned long long)content, err);
}

/*
 *	parent	[p]	fork ->		parent	[p]
 *					child	[p]
 */
static void fork_child(struct schedule_run *run)
{
	if (um_fork(run->mm[0], &run->mm[1]))
		schedule_finding(run, "fork failed");
}

static void both_have_it(struct schedule_run *run)
{
	expect(run, 0, HERE);
	expect(run, 1, HERE);
}

const struct schedule_scenario reclaim_vs_fork = {
	.name = "reclaim_vs_fork",
	.rows = "R07",
	.topologies = "regular,lazy",
	.story = "A page is reclaimed while the process that has it forks.",
	.nr_threads = 2,
	.bound = 3,
	.setup = one_page,
	.thread = { fork_child, reclaim },
	.check = both_have_it,
};

/*
 *	parent	[p]	munmap ->	parent
 *	child	[p]			child	[p]
 */
static void unmap(struct schedule_run *run)
{
	if (um_munmap(run->mm[0], HERE, PG))
		schedule_finding(run, "munmap failed");
}

static void child_has_it(struct schedule_run *run)
{
	expect(run, 1, HERE);
}

const struct schedule_scenario reclaim_vs_munmap = {
	.name = "reclaim_vs_munmap",
	.rows = "R03 R39",
	.topologies = "regular,lazy",
	.story = "A page is reclaimed while its owner unmaps it; the child keeps it.",
	.nr_threads = 2,
	.bound = 3,
	.setup = one_page_twice,
	.thread = { unmap, reclaim },
	.check = child_has_it,
};

/*
 *	mm	[p]  .	mremap ->	mm	 .  [p]
 */
static void move(struct schedule_run *run)
{
	uint64_t at;

	if (um_mremap(run->mm[0], HERE, PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, THERE, &at))
		schedule_finding(run, "mremap failed");
}

static void moved(struct schedule_run *run)
{
	expect(run, 0, THERE);
}

const struct schedule_scenario reclaim_vs_mremap = {
	.name = "reclaim_vs_mremap",
	.rows = "R08 R40",
	.topologies = "regular,lazy",
	.story = "A page is reclaimed while mremap() moves it.",
	.nr_threads = 2,
	.bound = 3,
	.setup = one_page,
	.thread = { move, reclaim },
	.check = moved,
};
