// SPDX-License-Identifier: GPL-2.0
/*
 * The way from a folio to its owner: against the owner's end and the next life of its
 * memory, and against those who give a folio another owner, or another number
 */
#include <stddef.h>
#include "scenario.h"

/* -- The next life --------------------------------------------------------------------- */

/*
 *	mm 1	[0]	exit; its anon_vma is freed
 *	mm 2	[0']	a new process, whose anon_vma may be the same memory
 *
 * The walk knows the folio, which names what was its owner. It must not go by what that
 * has become.
 */
static void reuse_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 1);
	put(run, 0, 0, 1, TOKEN);
	walk_open(run, 0, run->mm[0], P(0));
}

static void reuse_thread(struct schedule_run *run)
{
	leave(run, 0);
	start(run, 1);
	map(run, 1, 0, 1);
	put(run, 1, 0, 1, 1);
}

static void reuse_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0?");
	walk_expect_mms(run, 0, 1UL << 1);
	expect(run, 1, 0, 1, 1);
}

SCENARIOS_AGAINST_WALKS(reuse, 3, "R20 R27 R29",
			"The memory of an owner becomes another anon_vma during a walk.");

static void reference(struct schedule_run *run)
{
	walk_owner(run, 0);
}

SCENARIO_AGAINST(reference, reuse, 3, "R27 R29", "regular,lazy", reference,
		 "Somebody has a reference on the owner, or none.");

/* -- A page changes hands -------------------------------------------------------------- */

/*
 *	mm 1			has unmapped the page that its anon_vma owns
 *	`- mm 2	[0]		writes: the page is its alone, and gets its anon_vma as owner
 *
 * Watched without a reference, which would make the write copy.
 */
static void adopt_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 1);
	put(run, 0, 0, 1, TOKEN);
	fork_to(run, 0, 1);
	unmap(run, 0, 0, 1);
	walk_open_loosely(run, 0, run->mm[1], P(0));
}

static void adopt_thread(struct schedule_run *run)
{
	put(run, 1, 0, 1, 1);
}

static void adopt_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "2@0");
	expect(run, 1, 0, 1, 1);
}

SCENARIO_AGAINST(walk, adopt, 4, "R20 R30", "regular,lazy", thread_walk_full,
		 "A page gets the anon_vma of its last mapper as owner.");
SCENARIO_LOCKLESS(adopt, 4, "R20 R30", thread_walk_try,
		  "The same, and the walk takes no lock.");

static void frames(struct schedule_run *run)
{
	um_migrate(run->world, 1);
}

static void frames_adopt_check(struct schedule_run *run)
{
	if (still(run))
		expect(run, 1, 0, 1, 1);
}

const struct schedule_scenario frames_vs_adopt = {
	.name = "frames_vs_adopt",
	.rows = "R20 R30",
	.topologies = "regular,lazy",
	.story = "The same, and the page gets another frame meanwhile.",
	.nr_threads = 2,
	.bound = 3,
	.setup = adopt_setup,
	.thread = { adopt_thread, frames },
	.check = frames_adopt_check,
};

/*
 *	mm 1	[0]	exits: its anon_vma lives on for mm 2's sake
 *	`- mm 2	[0]	writes: a copy, or the page itself
 */
static void adopt_exit_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 1);
	put(run, 0, 0, 1, TOKEN);
	fork_to(run, 0, 1);
}

static void exit_of_owner(struct schedule_run *run)
{
	leave(run, 0);
}

const struct schedule_scenario adopt_vs_exit_vs_frames = {
	.name = "adopt_vs_exit_vs_frames",
	.rows = "R20 R29",
	.topologies = "regular,lazy",
	.story = "A child writes to a page while its parent, whose anon_vma owns it, exits, and "
		 "the page gets another frame.",
	.nr_threads = 3,
	.bound = 3,
	.setup = adopt_exit_setup,
	.thread = { adopt_thread, exit_of_owner, frames },
	.check = frames_adopt_check,
};

/* -- UFFDIO_MOVE ----------------------------------------------------------------------- */

/*
 *	[0*] ..... [16 ]	two VMAs
 *	[0 ] ..... [16*]	the page has the number, and in the regular topology the owner,
 *				of its new place
 */
static void uffd_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 1);
	map(run, 0, 16, 2);
	put(run, 0, 0, 1, TOKEN);
	put(run, 0, 17, 1, 1);
	walk_open(run, 0, run->mm[0], P(0));
}

static void uffd_thread(struct schedule_run *run)
{
	int err = um_uffd_move(run->mm[0], P(16), P(0), PG);

	if (err)
		schedule_finding(run, "um_uffd_move: error %d", err);
}

static void uffd_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 | 1@16");
	expect(run, 0, 16, 1, TOKEN);
	expect(run, 0, 0, 1, 0);
}

SCENARIOS_AGAINST_WALKS(uffd, 4, "R30", "A page is renumbered while a walk waits for its owner.");

/* -- The stack of exec ----------------------------------------------------------------- */

/*
 *	      [15]		created, with one page of arguments
 *	[11 -  15]		grown
 *	[11]			moved, renumbered if that is possible
 *	[10 11]			with room
 *
 * The walk finds the page in the LRU, once it is there, and mapped at 15.
 */
static void exec_setup(struct schedule_run *run)
{
	start(run, 0);
	walk_open_nothing(run, 0);
}

static void exec_thread(struct schedule_run *run)
{
	int err = um_exec_stack(run->mm[0], P(10), P(12), 1, 4 * PG, 1UL << 20);

	if (err)
		schedule_finding(run, "um_exec_stack: error %d", err);
}

static void exec_walk(struct schedule_run *run)
{
	walk_coldest(run, 0, run->mm[0], P(15), true);
}

static void exec_try(struct schedule_run *run)
{
	walk_coldest(run, 0, run->mm[0], P(15), false);
}

static void exec_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@15 | 1@11");
	put(run, 0, 11, 1, 1);
	expect(run, 0, 11, 1, 1);
}

#define exec_stack_setup	exec_setup
#define exec_stack_thread	exec_thread
#define exec_stack_check	exec_check

SCENARIO_AGAINST(walk, exec_stack, 4, "R28", "regular,lazy", exec_walk,
		 "exec moves its stack, whose page is walked.");
SCENARIO_LOCKLESS(exec_stack, 4, "R28", exec_try, "The same, and the walk takes no lock.");

const struct schedule_scenario frames_vs_exec_stack = {
	.name = "frames_vs_exec_stack",
	.rows = "R28",
	.topologies = "regular,lazy",
	.story = "exec moves its stack, whose page gets another frame.",
	.nr_threads = 2,
	.bound = 3,
	.setup = exec_setup,
	.thread = { exec_thread, frames },
	.check = exec_check,
};

static void reclaim_stack(struct schedule_run *run)
{
	um_reclaim(run->world, 1);
	um_reclaim(run->world, 1);
}

const struct schedule_scenario swapout_vs_exec_stack = {
	.name = "swapout_vs_exec_stack",
	.rows = "R28",
	.topologies = "regular,lazy",
	.story = "exec moves its stack, whose page is being swapped out.",
	.nr_threads = 2,
	.bound = 3,
	.setup = exec_setup,
	.thread = { exec_thread, reclaim_stack },
	.check = exec_check,
};
