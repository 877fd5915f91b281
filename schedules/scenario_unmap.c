// SPDX-License-Identifier: GPL-2.0
/*
 * Walks against munmap, MAP_FIXED and exit: what is on its way out is found until its last
 * PTE is gone, and nothing is freed under a walk
 */
#include <errno.h>
#include <stddef.h>
#include <kshim/fault.h>
#include "scenario.h"

/* -- munmap ---------------------------------------------------------------------------- */

/*
 *	mm 1	[0]			mm 1
 *	`- mm 2	[0]	munmap ->	`- mm 2	[0]
 */
static void munmap_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 1);
	put(run, 0, 0, 1, TOKEN);
	fork_to(run, 0, 1);
	walk_open(run, 0, run->mm[0], P(0));
}

static void munmap_thread(struct schedule_run *run)
{
	unmap(run, 0, 0, 1);
}

static void munmap_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0? 2@0");
	walk_expect_visits(run, 0, 2);
	expect(run, 1, 0, 1, TOKEN);
}

SCENARIOS_AGAINST_LOCKED_WALKS(munmap, 3, "R03 R39",
			       "The owner of a page unmaps it; the child keeps it.");

/*
 *	mm 1	[0]	munmap ->	mm 1
 *
 * Nobody else has it. For a lockless walk the anon_vma must serve one mm only.
 */
static void munmap_sole_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 1);
	put(run, 0, 0, 1, TOKEN);
	walk_open(run, 0, run->mm[0], P(0));
}

#define munmap_sole_thread	munmap_thread

static void munmap_sole_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0?");
	walk_expect_visits(run, 0, 1);
}

SCENARIOS_AGAINST_WALKS(munmap_sole, 3, "R02 R09 R39",
			"The only mapping of a page is unmapped, and the page tables freed.");

/* -- A VMA without pages --------------------------------------------------------------- */

/*
 *	mm 1	[0]			the page
 *	`- mm 2	[0]	munmap ->	another VMA, without pages
 *
 * It leaves without waiting for walks, which look at it to see that it is none of theirs.
 */
static void munmap_empty_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 1);
	put(run, 0, 0, 1, TOKEN);
	fork_to(run, 0, 1);
	unmap(run, 1, 0, 1);
	map(run, 1, 0, 1);
	walk_open(run, 0, run->mm[0], P(0));
}

static void munmap_empty_thread(struct schedule_run *run)
{
	unmap(run, 1, 0, 1);
}

static void munmap_empty_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0");
	walk_expect_visits(run, 0, 1);
	expect(run, 0, 0, 1, TOKEN);
}

SCENARIOS_AGAINST_LOCKED_WALKS(munmap_empty, 3, "R02 R39",
			       "A VMA without pages, where a walk looks for one, is unmapped.");

/* The same, with a folio of two pages, which is looked for in another way. */
static void munmap_empty_large_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 2);
	put_large(run, 0, 0, 1);
	fork_to(run, 0, 1);
	unmap(run, 1, 0, 2);
	map(run, 1, 0, 2);
	walk_open(run, 0, run->mm[0], P(0));
}

static void munmap_empty_large_thread(struct schedule_run *run)
{
	unmap(run, 1, 0, 2);
}

static void munmap_empty_large_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 1@1");
	walk_expect_visits(run, 0, 1);
	expect(run, 0, 0, 2, TOKEN);
}

SCENARIOS_AGAINST_LOCKED_WALKS(munmap_empty_large, 3, "R05 R39", "The same with a large folio.");

/* -- Several VMAs at once -------------------------------------------------------------- */

/*
 *	mm 1	[0 ][1 2][3 ]	one folio	munmap 0-3 ->	mm 1
 *	`- mm 2	[0   1 2   3]				`- mm 2	[0 1 2 3]
 */
static void munmap_batch_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 4);
	put_large(run, 0, 0, 2);
	fork_to(run, 0, 1);
	protect(run, 0, 1, 2, PROT_READ);
	walk_open(run, 0, run->mm[0], P(0));
}

static void munmap_batch_thread(struct schedule_run *run)
{
	unmap(run, 0, 0, 4);
}

static void munmap_batch_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0? 1@1? 1@2? 1@3? 2@0 2@1 2@2 2@3");
	walk_expect_visits(run, 0, 4);
	expect(run, 1, 0, 4, TOKEN);
}

SCENARIOS_AGAINST_LOCKED_WALKS(munmap_batch, 3, "R05 R39 R43",
			       "Three VMAs that one folio spans are unmapped as one batch.");

/*
 *	[0 ][1 2][3 ]	one folio, which nobody else has	munmap 0-3 ->
 */
static void munmap_batch_sole_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 4);
	put_large(run, 0, 0, 2);
	protect(run, 0, 1, 2, PROT_READ);
	walk_open(run, 0, run->mm[0], P(0));
}

#define munmap_batch_sole_thread	munmap_batch_thread

static void munmap_batch_sole_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0? 1@1? 1@2? 1@3?");
	walk_expect_visits(run, 0, 3);
}

SCENARIO_LOCKLESS(munmap_batch_sole, 3, "R05 R39 R43", thread_walk_try,
		  "A process that is alone with a folio unmaps the three VMAs that it spans.");

/* -- A part ---------------------------------------------------------------------------- */

/*
 *	mm 1	[0 1 2 3]	one folio	munmap 1-2 ->	[0 ]    [3 ]
 */
static void munmap_part_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 4);
	put_large(run, 0, 0, 2);
	walk_open(run, 0, run->mm[0], P(0));
}

static void munmap_part_thread(struct schedule_run *run)
{
	unmap(run, 0, 1, 2);
}

static void munmap_part_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 1@1? 1@2? 1@3");
	expect(run, 0, 0, 1, TOKEN);
	expect(run, 0, 3, 1, TOKEN + 3);
}

SCENARIOS_AGAINST_WALKS(munmap_part, 3, "R04 R10",
			"The middle of a folio is unmapped: the VMA is split on both sides first.");

/* -- MAP_FIXED ------------------------------------------------------------------------- */

/*
 *	mm 1	[0]			mm 1	[0']	another page
 *	`- mm 2	[0]	mmap ->		`- mm 2	[0 ]
 *
 * The newcomer is not mistaken for what was there.
 */
static void map_fixed_thread(struct schedule_run *run)
{
	map(run, 0, 0, 1);
	put(run, 0, 0, 1, 1);
}

static void map_fixed_check(struct schedule_run *run)
{
	munmap_check(run);
	if (still(run))
		expect(run, 0, 0, 1, 1);
}

#define map_fixed_setup	munmap_setup

SCENARIOS_AGAINST_LOCKED_WALKS(map_fixed, 3, "R04 R39",
			       "A new mapping takes the place of one whose page is walked.");

/*
 *	[0]	mmap ->	[0']	another page; nobody else has the first one
 */
#define map_fixed_sole_setup	munmap_sole_setup
#define map_fixed_sole_thread	map_fixed_thread

static void map_fixed_sole_check(struct schedule_run *run)
{
	munmap_sole_check(run);
	if (still(run))
		expect(run, 0, 0, 1, 1);
}

SCENARIO_LOCKLESS(map_fixed_sole, 3, "R04 R39", thread_walk_try,
		  "A new mapping takes the place of the only one of a page.");

/*
 *	mm 1	[0]	mmap -> -ENOMEM		mm 1	[0]
 *
 * The last allocation of a mmap() over an existing VMA fails: that is detached by then, and
 * comes back. A mmap() in setup() counts them.
 */
static unsigned int last_allocation;

static void map_fails_setup(struct schedule_run *run)
{
	unsigned long before;

	start(run, 0);
	map(run, 0, 0, 1);
	put(run, 0, 0, 1, TOKEN);
	before = kshim_fail_seen();
	map(run, 0, 0, 1);
	last_allocation = kshim_fail_seen() - before;
	put(run, 0, 0, 1, TOKEN);
	walk_open(run, 0, run->mm[0], P(0));
}

static void map_fails_thread(struct schedule_run *run)
{
	uint64_t at;
	int err;

	kshim_fail_nth(last_allocation);
	err = um_mmap(run->mm[0], P(0), PG, RW, ANON | MAP_FIXED, NULL, 0, &at);
	kshim_fail_disarm();
	if (err != -ENOMEM)
		schedule_finding(run, "a mmap() whose last allocation fails returns %d", err);
}

static void map_fails_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0");
	walk_expect_visits(run, 0, 1);
	expect(run, 0, 0, 1, TOKEN);
}

SCENARIOS_AGAINST_WALKS(map_fails, 4, "R16 R39",
			"VMAs that were detached to be unmapped stay after all.");

/* -- exit ------------------------------------------------------------------------------ */

/*
 *	mm 1	[0]			(mm 1)		its anon_vma stays
 *	`- mm 2	[0]	exit ->		`- mm 2	[0]
 */
#define exit_setup	munmap_setup

static void exit_thread(struct schedule_run *run)
{
	leave(run, 0);
}

#define exit_check	munmap_check

SCENARIOS_AGAINST_LOCKED_WALKS(exit, 3, "R03 R09",
			       "The owner's process exits; its child has the page.");

/*
 *	mm 1	[0]			mm 1	[0]
 *	`- mm 2	[0]	exit ->
 *
 * The walk may stand in the child, whose anon_vma nobody but the walk keeps then.
 */
#define exit_child_setup	munmap_setup

static void exit_child_thread(struct schedule_run *run)
{
	leave(run, 1);
}

static void exit_child_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 2@0?");
	walk_expect_visits(run, 0, 2);
	expect(run, 0, 0, 1, TOKEN);
}

SCENARIOS_AGAINST_WALKS(exit_child, 3, "R03 R20", "A child exits while a walk comes to it.");

/*
 *	(mm 1)		gone: its anon_vma is there for mm 2's sake
 *	`- mm 2	[0]	exit ->		nobody
 *
 * A walk that waits for the lock of mm 2's anon_vma may be the last to hold that, and with it
 * the owner, whose lock it has.
 */
static void exit_orphan_setup(struct schedule_run *run)
{
	munmap_setup(run);
	leave(run, 0);
}

#define exit_orphan_thread	exit_child_thread

static void exit_orphan_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "2@0?");
	walk_expect_visits(run, 0, 1);
}

SCENARIOS_AGAINST_LOCKED_WALKS(exit_orphan, 3, "R20 R29",
			       "The last child of an owner without a process exits.");

/*
 *	mm 1	[0]	exit ->		nobody
 */
#define exit_last_setup	munmap_sole_setup
#define exit_last_thread	exit_thread
#define exit_last_check	munmap_sole_check

SCENARIOS_AGAINST_WALKS(exit_last, 3, "R09 R29",
			"The last process that maps a page exits: its anon_vma goes too.");

/*
 *	mm 1	[0   1]		mprotect ->	[0 ][1 ]	exit ->		nobody
 *
 * The walk waits for the lock that mprotect holds, by a reference that may be the last one
 * when it gets the lock: then it is for the walk to free the owner.
 */
static void split_exit_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 2);
	put(run, 0, 0, 1, TOKEN);
	walk_open(run, 0, run->mm[0], P(0));
}

static void split_exit_thread(struct schedule_run *run)
{
	protect(run, 0, 1, 1, PROT_READ);
	leave(run, 0);
}

static void split_exit_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0?");
	/* Chain entries are there twice while a VMA is split. */
	walk_expect_visits(run, 0, run->lazy ? 1 : 2);
}

SCENARIOS_AGAINST_WALKS(split_exit, 3, "R02 R29",
			"The last process that maps a page splits a VMA, and exits.");

/*
 *	mm 1	[0 1]	mprotect ->	[0][1]	exit ->
 *
 * Two walks find the lock taken, and take a reference each. When they get it, it may be the
 * two of them that keep the owner; the one who drops the last reference has to wait for the
 * other, which has only the lock.
 */
static void exit_queue_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 2);
	put(run, 0, 0, 2, TOKEN);
	walk_open(run, 0, run->mm[0], P(0));
	walk_open(run, 1, run->mm[0], P(1));
}

static void walk_second(struct schedule_run *run)
{
	walk_full(run, 1);
}

static void exit_queue_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0?");
	walk_expect(run, 1, "1@1?");
}

const struct schedule_scenario walk_vs_walk_vs_exit = {
	.name = "walk_vs_walk_vs_exit",
	.rows = "R27 R29",
	.topologies = "regular,lazy",
	.story = "Two walks that wait for the owner's lock are the last that know it.",
	.nr_threads = 3,
	.bound = 3,
	.setup = exit_queue_setup,
	.thread = { split_exit_thread, thread_walk_full, walk_second },
	.check = exit_queue_check,
};

/*
 *	mm 1	[0]
 *	|- mm 2	[0]
 *	`- mm 3	[0]	exit
 *
 * The walk comes to it by its sibling.
 */
static void exit_younger_setup(struct schedule_run *run)
{
	munmap_setup(run);
	fork_to(run, 0, 2);
}

static void exit_younger_thread(struct schedule_run *run)
{
	leave(run, 2);
}

static void exit_younger_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 2@0 3@0?");
	walk_expect_visits(run, 0, 3);
	expect(run, 1, 0, 1, TOKEN);
}

SCENARIO_AGAINST(walk, exit_younger, 3, "R20 R38", "regular,lazy", thread_walk_full,
		 "The younger of two children exits while a walk goes on to it.");

/*
 *	mm 1	[0]
 *	|- mm 2	[0]	exit
 *	|- mm 3	[0]	exit
 *	`- mm 4	[0]
 *
 * Siblings leave the list that the walk goes by, while it stands on one or the other.
 */
static void exit_both_setup(struct schedule_run *run)
{
	munmap_setup(run);
	fork_to(run, 0, 2);
	fork_to(run, 0, 3);
}

static void exit_second(struct schedule_run *run)
{
	leave(run, 1);
}

static void exit_third(struct schedule_run *run)
{
	leave(run, 2);
}

static void exit_both_thread(struct schedule_run *run)
{
	exit_second(run);
	exit_third(run);
}

static void exit_both_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 2@0? 3@0? 4@0");
	expect(run, 0, 0, 1, TOKEN);
}

SCENARIOS_AGAINST_LOCKED_WALKS(exit_both, 3, "R20 R38",
			       "Two children exit while a walk goes from one to the other.");

const struct schedule_scenario exit_vs_exit = {
	.name = "exit_vs_exit",
	.rows = "R20 R38",
	.topologies = "regular,lazy",
	.story = "Two children exit at the same time.",
	.nr_threads = 2,
	.bound = 4,
	.setup = exit_both_setup,
	.thread = { exit_second, exit_third },
	.check = exit_both_check,
};

/* -- With all of a migration ----------------------------------------------------------- */

/* Nobody else has a reference: the page does change its frame. */
static void frames_munmap_setup(struct schedule_run *run)
{
	munmap_setup(run);
	walk_close_all(run);
}

static void frames_thread(struct schedule_run *run)
{
	um_migrate(run->world, 1);
}

static void frames_munmap_check(struct schedule_run *run)
{
	if (still(run))
		expect(run, 1, 0, 1, TOKEN);
}

#define frames_munmap_thread	munmap_thread
#define frames_exit_setup	frames_munmap_setup
#define frames_exit_thread	exit_thread
#define frames_exit_check	frames_munmap_check

#define SCENARIO_FRAMES(op, bound_, rows_, story_)				\
const struct schedule_scenario frames_vs_##op = {			\
	.name = "frames_vs_" #op,					\
	.rows = rows_,							\
	.topologies = "regular,lazy",					\
	.story = story_,						\
	.nr_threads = 2,						\
	.bound = bound_,							\
	.setup = frames_##op##_setup,					\
	.thread = { frames_##op##_thread, frames_thread },		\
	.check = frames_##op##_check,					\
}

SCENARIO_FRAMES(munmap, 3, "R03 R39", "A page gets another frame while one who maps it unmaps it.");
SCENARIO_FRAMES(exit, 3, "R29", "A page gets another frame while its owner's process exits.");
