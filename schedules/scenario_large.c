// SPDX-License-Identifier: GPL-2.0
/*
 * Splitting a large folio, which holds its owner's lock for write, against walks and against
 * whoever changes its mappings
 *
 *	[0 1 2 3]  ->  [0] [1] [2] [3]		folios, not VMAs
 *
 * Watched without a reference, with which it could not be split.
 */
#include <errno.h>
#include <stddef.h>
#include "scenario.h"

static void large_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 4);
	put_large(run, 0, 0, 2);
	walk_open_loosely(run, 0, run->mm[0], P(0));
}

static void large_shared_setup(struct schedule_run *run)
{
	large_setup(run);
	fork_to(run, 0, 1);
}

/* That the folio is in use, or gone, is no mistake. */
static void split_large(struct schedule_run *run)
{
	int err = um_split_huge(run->mm[0], P(0));

	if (err && err != -EAGAIN && err != -EBUSY && err != -EFAULT && err != -EINVAL)
		schedule_finding(run, "um_split_huge: error %d", err);
}

/* -- Walks ----------------------------------------------------------------------------- */

static void large_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	/* Without the folio lock a walk may find it unmapped, for the moment of the split. */
	walk_expect(run, 0, "1@0 1@1 1@2 1@3 2@0 2@1 2@2 2@3 | 1@0 2@0 |");
	expect(run, 0, 0, 4, TOKEN);
	expect(run, 1, 0, 4, TOKEN);
}

#define large_split_setup	large_shared_setup
#define large_split_thread	split_large
#define large_split_check	large_check

SCENARIO_AGAINST(walk, large_split, 4, "R10", "regular,lazy", thread_walk_full,
		 "A folio is split while it is walked.");

/* Walks do without locks where an owner has one process. */
static void large_alone_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 1@1 1@2 1@3 | 1@0 |");
	expect(run, 0, 0, 4, TOKEN);
}

#define large_alone_setup	large_setup
#define large_alone_thread	split_large

SCENARIO_LOCKLESS(large_alone, 4, "R10", thread_walk_try,
		  "The same, and the walk takes no lock.");

/* -- Collapse -------------------------------------------------------------------------- */

/*
 *	[0 - ... -]  ->  [0   ...   511]	khugepaged: a huge page for what is there
 *
 * Who walks a page has a reference on it, with which it is not collapsed; so the walks take
 * theirs when they begin, on the page as it is or on the huge one. Its entry is at 0.
 */
static void collapse_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, UM_HUGE_SIZE / PG);
	put(run, 0, 0, 1, TOKEN);
	walk_open_nothing(run, 0);
}

static void collapse_thread(struct schedule_run *run)
{
	int err = um_collapse(run->mm[0], P(0));

	if (err && err != -EAGAIN)
		schedule_finding(run, "um_collapse: error %d", err);
}

static void collapse_walk(struct schedule_run *run)
{
	walk_coldest(run, 0, run->mm[0], P(0), true);
}

static void collapse_try(struct schedule_run *run)
{
	walk_coldest(run, 0, run->mm[0], P(0), false);
}

static void collapse_migrate(struct schedule_run *run)
{
	um_migrate(run->world, 1);
}

static void collapse_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0");
	walk_expect_visits(run, 0, 1);
	expect(run, 0, 0, 1, TOKEN);
	put(run, 0, 1, 1, 1);
	expect(run, 0, 0, 1, TOKEN);
}

SCENARIO_AGAINST(walk, collapse, 3, "R10", "regular,lazy", collapse_walk,
		 "A page becomes part of a huge one while it is walked.");
SCENARIO_LOCKLESS(collapse, 3, "R10", collapse_try, "The same, and the walk takes no lock.");
SCENARIO_AGAINST(migrate, collapse, 3, "R10", "regular,lazy", collapse_migrate,
		 "A page becomes part of a huge one, or gets another frame.");

/* -- Whoever changes the mappings ------------------------------------------------------ */

#define SCENARIO_LARGE(op, bound_, rows_, story_)					\
const struct schedule_scenario large_split_vs_##op = {				\
	.name = "large_split_vs_" #op,						\
	.rows = rows_,								\
	.topologies = "regular,lazy",						\
	.story = story_,							\
	.nr_threads = 2,							\
	.bound = bound_,								\
	.setup = large_##op##_setup,						\
	.thread = { split_large, large_##op##_thread },				\
	.check = large_##op##_check,						\
}

#define large_fork_setup	large_setup

static void large_fork_thread(struct schedule_run *run)
{
	fork_to(run, 0, 1);
}

#define large_fork_check	large_check

SCENARIO_LARGE(fork, 3, "R07 R10 R42", "A folio is split while its process forks.");

#define large_munmap_setup	large_shared_setup

static void large_munmap_thread(struct schedule_run *run)
{
	unmap(run, 0, 1, 2);
}

static void large_munmap_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	expect(run, 0, 0, 1, TOKEN);
	expect(run, 0, 3, 1, TOKEN + 3);
	expect(run, 1, 0, 4, TOKEN);
}

SCENARIO_LARGE(munmap, 4, "R10 R39", "A folio is split while a part of it is unmapped.");

#define large_exit_setup	large_shared_setup

static void large_exit_thread(struct schedule_run *run)
{
	leave(run, 1);
}

static void large_exit_check(struct schedule_run *run)
{
	if (still(run))
		expect(run, 0, 0, 4, TOKEN);
}

SCENARIO_LARGE(exit, 3, "R10 R29", "A folio is split while a child that maps it exits.");

#define large_move_setup	large_setup

static void large_move_thread(struct schedule_run *run)
{
	move(run, 0, 1, 2, 16, 0);
}

static void large_move_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	expect(run, 0, 0, 1, TOKEN);
	expect(run, 0, 16, 2, TOKEN + 1);
	expect(run, 0, 3, 1, TOKEN + 3);
}

SCENARIO_LARGE(move, 4, "R06 R10", "A folio is split while a part of it moves.");

#define large_write_setup	large_shared_setup

static void large_write_thread(struct schedule_run *run)
{
	put(run, 1, 1, 1, 1);
}

static void large_write_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	expect(run, 0, 0, 4, TOKEN);
	expect(run, 1, 1, 1, 1);
	expect(run, 1, 2, 2, TOKEN + 2);
}

SCENARIO_LARGE(write, 4, "R10", "A folio is split while a child writes to one of its pages.");

#define large_frames_setup	large_shared_setup

static void large_frames_thread(struct schedule_run *run)
{
	um_migrate(run->world, 4);
}

#define large_frames_check	large_check

SCENARIO_LARGE(frames, 3, "R10", "A folio is split while it gets other frames.");

#define large_swapout_setup	large_shared_setup

static void large_swapout_thread(struct schedule_run *run)
{
	um_reclaim(run->world, 4);
	um_reclaim(run->world, 4);
}

#define large_swapout_check	large_check

SCENARIO_LARGE(swapout, 3, "R10 R17", "A folio is split while it is swapped out.");
