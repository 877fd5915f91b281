// SPDX-License-Identifier: GPL-2.0
/*
 * Swap: pages on their way out and back, while those who map them fork, exit and move.
 * Found afterwards by whoever has them, with an owner that covers all of these.
 */
#include <stddef.h>
#include "scenario.h"

/* What the first reclaim sees as used, the second takes. */
static void swap_out(struct schedule_run *run)
{
	um_reclaim(run->world, 1);
}

#define SCENARIO_SWAP(what, walker, op, bound_, rows_, story_)				\
const struct schedule_scenario what##_vs_##op = {				\
	.name = #what "_vs_" #op,						\
	.rows = rows_,								\
	.topologies = "regular,lazy",						\
	.story = story_,							\
	.nr_threads = 2,							\
	.bound = bound_,								\
	.setup = what##_##op##_setup,						\
	.thread = { what##_##op##_thread, walker },				\
	.check = what##_##op##_check,						\
}

/* After all that, the page must be found where it is by a migration and a swap-out. */
static void found(struct schedule_run *run)
{
	um_migrate(run->world, 4);
	um_reclaim(run->world, 4);
	um_reclaim(run->world, 4);
}

/* -- Out ------------------------------------------------------------------------------- */

/*
 *	mm 1	[0]	about to be swapped out; not used lately
 */
static void swapout_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 1);
	put(run, 0, 0, 1, TOKEN);
	um_age(run->world, 1);
}

#define swapout_fork_setup	swapout_setup

static void swapout_fork_thread(struct schedule_run *run)
{
	fork_to(run, 0, 1);
}

static void swapout_fork_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	expect(run, 0, 0, 1, TOKEN);
	expect(run, 1, 0, 1, TOKEN);
	found(run);
	put(run, 0, 0, 1, 1);
	expect(run, 1, 0, 1, TOKEN);
}

SCENARIO_SWAP(swapout, swap_out, fork, 4, "R07 R17 R26",
	      "A page is swapped out while its process forks.");

/*
 *	mm 1	[0]	exits
 *	`- mm 2	[0]
 */
static void swapout_exit_setup(struct schedule_run *run)
{
	swapout_setup(run);
	fork_to(run, 0, 1);
}

static void swapout_exit_thread(struct schedule_run *run)
{
	leave(run, 0);
}

static void swapout_exit_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	expect(run, 1, 0, 1, TOKEN);
	found(run);
	expect(run, 1, 0, 1, TOKEN);
}

SCENARIO_SWAP(swapout, swap_out, exit, 3, "R17 R29",
	      "A page is swapped out while its owner's process exits.");

#define swapout_munmap_setup	swapout_exit_setup

static void swapout_munmap_thread(struct schedule_run *run)
{
	unmap(run, 0, 0, 1);
}

#define swapout_munmap_check	swapout_exit_check

SCENARIO_SWAP(swapout, swap_out, munmap, 3, "R17 R39",
	      "A page is swapped out while its owner's process unmaps it.");

/*
 *	mm 1	[0] ........
 *	mm 1	........ [16]
 */
#define swapout_move_setup	swapout_setup

static void swapout_move_thread(struct schedule_run *run)
{
	move(run, 0, 0, 1, 16, 0);
}

static void swapout_move_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	expect(run, 0, 16, 1, TOKEN);
	found(run);
	expect(run, 0, 16, 1, TOKEN);
}

SCENARIO_SWAP(swapout, swap_out, move, 4, "R06 R17", "A page is swapped out while it moves.");

#define swapout_write_setup	swapout_exit_setup

static void swapout_write_thread(struct schedule_run *run)
{
	put(run, 1, 0, 1, 1);
}

static void swapout_write_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	expect(run, 0, 0, 1, TOKEN);
	expect(run, 1, 0, 1, 1);
	found(run);
	expect(run, 0, 0, 1, TOKEN);
}

SCENARIO_SWAP(swapout, swap_out, write, 3, "R17 R26",
	      "A page is swapped out while a child writes to it.");

/* -- Back ------------------------------------------------------------------------------ */

/*
 *	mm 1	[0]	swapped out
 *	`- mm 2	[0]	both have an entry
 */
static void swapin_setup(struct schedule_run *run)
{
	swapout_exit_setup(run);
	swap_out(run);
}

static void swap_in(struct schedule_run *run)
{
	expect(run, 1, 0, 1, TOKEN);
}

#define swapin_swapin_setup	swapin_setup

static void swapin_swapin_thread(struct schedule_run *run)
{
	expect(run, 0, 0, 1, TOKEN);
}

static void swapin_swapin_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	leave(run, 1);
	found(run);
	expect(run, 0, 0, 1, TOKEN);
}

SCENARIO_SWAP(swapin, swap_in, swapin, 3, "R17 R26",
	      "Two processes bring a page back from swap; the one that may have been first exits.");

/*
 *	mm 1	[0]	forks mm 3
 *	`- mm 2	[0]	brings the page back
 */
#define swapin_fork_setup	swapin_setup

static void swapin_fork_thread(struct schedule_run *run)
{
	fork_to(run, 0, 2);
}

static void swapin_fork_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	expect(run, 2, 0, 1, TOKEN);
	found(run);
	leave(run, 1);
	expect(run, 0, 0, 1, TOKEN);
	put(run, 2, 0, 1, 1);
	expect(run, 0, 0, 1, TOKEN);
}

SCENARIO_SWAP(swapin, swap_in, fork, 4, "R17 R26",
	      "The parent forks while a child brings their page back from swap.");

/*
 *	mm 1	[0]	exits
 *	`- mm 2	[0]	brings the page back
 */
#define swapin_exit_setup	swapin_setup
#define swapin_exit_thread	swapout_exit_thread
#define swapin_exit_check	swapout_exit_check

SCENARIO_SWAP(swapin, swap_in, exit, 4, "R17 R29",
	      "The parent exits while a child brings their page back from swap.");

/*
 *	mm 2	[0]	brings the page back, and moves it
 *	mm 1		writes to it
 */
#define swapin_write_setup	swapin_setup

static void swapin_write_thread(struct schedule_run *run)
{
	put(run, 0, 0, 1, 1);
}

static void swapin_write_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	expect(run, 0, 0, 1, 1);
	found(run);
	expect(run, 0, 0, 1, 1);
	expect(run, 1, 0, 1, TOKEN);
}

SCENARIO_SWAP(swapin, swap_in, write, 3, "R17 R26",
	      "The parent writes while a child brings their page back from swap.");

/* -- From KSM -------------------------------------------------------------------------- */

/*
 *	mm 1			unfaulted; the common parent
 *	|- mm 2	[0]
 *	`- mm 3	[0]		the same content, merged by KSM, and swapped out
 *
 * Both are at the same offset and in the same tree, but the page of one is not the other's.
 */
static void swapin_ksm_setup(struct schedule_run *run)
{
	unsigned int i;

	start(run, 0);
	map(run, 0, 0, 1);
	um_madvise(run->mm[0], P(0), PG, MADV_MERGEABLE);
	for (i = 1; i <= 2; i++) {
		fork_to(run, 0, i);
		put(run, i, 0, 1, TOKEN);
	}
	if (um_ksm_scan(run->world, 8) != 2)
		schedule_finding(run, "setup: KSM did not merge");
	um_reclaim(run->world, 4);
	swap_out(run);
}

static void swapin_ksm_thread(struct schedule_run *run)
{
	expect(run, 2, 0, 1, TOKEN);
}

static void swapin_ksm_check(struct schedule_run *run)
{
	struct um_stats stats;

	if (!still(run))
		return;
	um_stats(run->world, &stats);
	if (!stats.swapped_in)
		schedule_finding(run, "nothing was swapped out");
	if (um_check_all(run->world))
		return;
	put(run, 1, 0, 1, 1);
	found(run);
	expect(run, 2, 0, 1, TOKEN);
	expect(run, 1, 0, 1, 1);
}

SCENARIO_SWAP(swapin, swap_in, ksm, 3, "R36",
	      "Siblings bring back what was one KSM page.");
