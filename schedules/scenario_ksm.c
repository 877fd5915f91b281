// SPDX-License-Identifier: GPL-2.0
/*
 * KSM's walks, which go by address from several owners
 *
 *	mm 1	[0]	not related
 *	mm 2	[0]	the same content: one KSM page, two items
 */
#include <stddef.h>
#include "scenario.h"

static void mergeable(struct schedule_run *run, unsigned int i, unsigned int page)
{
	int err = um_madvise(run->mm[i], P(page), PG, MADV_MERGEABLE);

	if (err)
		schedule_finding(run, "um_madvise: error %d", err);
}

/* One more that has the content; displaced: at 0 by way of 16. */
static void ksm_user(struct schedule_run *run, unsigned int i, bool displaced)
{
	unsigned int page = displaced ? 16 : 0;

	start(run, i);
	map(run, i, page, 1);
	mergeable(run, i, page);
	put(run, i, page, 1, TOKEN);
	if (displaced)
		move(run, i, 16, 1, 0, 0);
}

static void ksm_setup(struct schedule_run *run, bool displaced)
{
	ksm_user(run, 0, displaced);
	ksm_user(run, 1, false);
	if (um_ksm_scan(run->world, 8) != 2)
		schedule_finding(run, "setup: KSM did not merge");
	walk_open(run, 0, run->mm[0], P(0));
}

/* -- exit ------------------------------------------------------------------------------ */

static void ksm_exit_setup(struct schedule_run *run)
{
	ksm_setup(run, false);
}

static void ksm_exit_thread(struct schedule_run *run)
{
	leave(run, 0);
}

static void ksm_exit_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0? 2@0");
	expect(run, 1, 0, 1, TOKEN);
}

/*
 *	mm 1	[0]	exits, and hands its item to its child
 *	`- mm 3	[0]
 *	mm 2	[0]
 */
static void ksm_heir_setup(struct schedule_run *run)
{
	ksm_setup(run, false);
	fork_to(run, 0, 2);
}

#define ksm_heir_thread	ksm_exit_thread

static void ksm_heir_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0? 2@0 3@0");
	expect(run, 2, 0, 1, TOKEN);
}

/*
 * The same against a migration that moves the page: nobody watches, as that takes a reference.
 * While the old folio is frozen nobody can get a reference, and the node is not stale.
 */
static void ksm_heir_moved_setup(struct schedule_run *run)
{
	ksm_user(run, 0, false);
	ksm_user(run, 1, false);
	if (um_ksm_scan(run->world, 8) != 2)
		schedule_finding(run, "setup: KSM did not merge");
	fork_to(run, 0, 2);
}

#define ksm_heir_moved_thread	ksm_exit_thread

static void thread_move_folio(struct schedule_run *run)
{
	um_migrate(run->world, 1);
}

static void ksm_heir_moved_check(struct schedule_run *run)
{
	expect(run, 1, 0, 1, TOKEN);
	expect(run, 2, 0, 1, TOKEN);
}

/* -- fork ------------------------------------------------------------------------------ */

#define ksm_fork_setup	ksm_exit_setup

static void ksm_fork_thread(struct schedule_run *run)
{
	fork_to(run, 0, 2);
}

static void ksm_fork_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 2@0 3@0?");
	put(run, 2, 0, 1, 1);
	expect(run, 0, 0, 1, TOKEN);
	expect(run, 1, 0, 1, TOKEN);
}

/* -- munmap ---------------------------------------------------------------------------- */

#define ksm_munmap_setup	ksm_exit_setup

static void ksm_munmap_thread(struct schedule_run *run)
{
	unmap(run, 0, 0, 1);
}

#define ksm_munmap_check	ksm_exit_check

/* -- mremap ---------------------------------------------------------------------------- */

/*
 *	mm 1	[0] ........		a KSM page
 *	mm 1	........ [16]		a copy: KSM pages do not move
 */
#define ksm_move_setup	ksm_exit_setup

static void ksm_move_thread(struct schedule_run *run)
{
	move(run, 0, 0, 1, 16, 0);
}

static void ksm_move_check(struct schedule_run *run)
{
	ksm_exit_check(run);
	if (still(run))
		expect(run, 0, 16, 1, TOKEN);
}

/*
 *	mm 1	[0]	displaced when its page was merged: its address is not its offset
 */
static void ksm_displaced_setup(struct schedule_run *run)
{
	ksm_setup(run, true);
}

#define ksm_displaced_thread	ksm_munmap_thread
#define ksm_displaced_check	ksm_exit_check

#define ksm_displaced_fork_setup	ksm_displaced_setup
#define ksm_displaced_fork_thread	ksm_fork_thread
#define ksm_displaced_fork_check	ksm_fork_check

/* -- A write, and one more ------------------------------------------------------------- */

#define ksm_write_setup	ksm_exit_setup

static void ksm_write_thread(struct schedule_run *run)
{
	put(run, 0, 0, 1, 1);
}

static void ksm_write_check(struct schedule_run *run)
{
	ksm_exit_check(run);
	if (still(run))
		expect(run, 0, 0, 1, 1);
}

static void ksm_more_setup(struct schedule_run *run)
{
	ksm_setup(run, false);
	ksm_user(run, 2, false);
}

static void ksm_more_thread(struct schedule_run *run)
{
	um_ksm_scan(run->world, 8);
}

static void ksm_more_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 2@0 3@0?");
	expect(run, 0, 0, 1, TOKEN);
	expect(run, 2, 0, 1, TOKEN);
}

/*
 *	mm 1	[0]	merged ->	[0*]
 *	mm 2	[0']			[0*]
 *
 * The page that stays is KSM's from some moment on, by its mapping word alone, and its
 * mapping is where it was. Watched without a reference, which KSM would not merge.
 */
static void ksm_merge_setup(struct schedule_run *run)
{
	ksm_user(run, 0, false);
	ksm_user(run, 1, false);
	walk_open_loosely(run, 0, run->mm[1], P(0));
}

static void ksm_merge_thread(struct schedule_run *run)
{
	if (um_ksm_scan(run->world, 8) != 2)
		schedule_finding(run, "KSM did not merge");
}

static void ksm_merge_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	/* The owner's walk does not go to the other. */
	walk_expect(run, 0, "2@0?");
	walk_expect_visits(run, 0, 1);
	expect(run, 0, 0, 1, TOKEN);
	expect(run, 1, 0, 1, TOKEN);
}

#define SCENARIOS_KSM(op, bound, rows, story)						\
	SCENARIO_AGAINST(walk, op, bound, rows, "regular,lazy", thread_walk_full, story);	\
	SCENARIO_AGAINST(migrate, op, bound, rows, "regular,lazy", thread_walk_migrate, story)

SCENARIOS_KSM(ksm_exit, 4, "R29 R33", "A process that maps a KSM page exits.");
SCENARIOS_KSM(ksm_heir, 3, "R29 R33", "The process that has the item of its child exits.");
SCENARIOS_KSM(ksm_fork, 4, "R07 R33", "A process that maps a KSM page forks.");
SCENARIOS_KSM(ksm_munmap, 4, "R33 R39", "A KSM page is unmapped.");
SCENARIOS_KSM(ksm_move, 3, "R06 R32", "A VMA with a KSM page is moved.");
SCENARIOS_KSM(ksm_displaced, 4, "R32 R39", "A KSM page in a displaced VMA is unmapped.");
SCENARIOS_KSM(ksm_displaced_fork, 4, "R07 R32", "A KSM page in a displaced VMA is copied by fork.");
SCENARIOS_KSM(ksm_write, 4, "R33", "A KSM page is written to, and so copied.");
SCENARIOS_KSM(ksm_more, 4, "R33", "KSM merges one more page.");

SCENARIO_AGAINST(migrate, ksm_heir_moved, 3, "R29 R33", "regular,lazy", thread_move_folio,
		 "The same while the page moves, and has no reference for a moment.");

SCENARIO_AGAINST(walk, ksm_merge, 4, "R30 R33", "regular,lazy", thread_walk_full,
		 "A page becomes KSM's while its owner is walked.");
SCENARIO_LOCKLESS(ksm_merge, 4, "R30 R33", thread_walk_try,
		  "The same, and the walk takes no lock.");
