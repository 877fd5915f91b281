// SPDX-License-Identifier: GPL-2.0
/*
 * Bounded growth: from some depth of the fork tree on, children join the anon_vma of their
 * parent, which then serves several mms
 *
 *	mm 1 -> ... -> mm 16	[0]	forked one from the other, all but the last one gone
 *	               `- mm 17	[0]	joined
 *
 * The page's owner is the anon_vma of mm 16, the last that a child gets.
 */
#include <stddef.h>
#include <linux/anon_vma_lazy.h>
#include "scenario.h"

/* The sets below have the numbers written out. */
_Static_assert(LAZY_ANON_VMA_MAX_DEPTH == 16, "mm 16 is the last with an anon_vma of its own");

static void join_deep(struct schedule_run *run)
{
	int depth;

	start(run, 0);
	map(run, 0, 0, 1);
	put(run, 0, 0, 1, 1);
	for (depth = 1; depth < LAZY_ANON_VMA_MAX_DEPTH; depth++) {
		fork_to(run, 0, 1);
		leave(run, 0);
		run->mm[0] = run->mm[1];
		run->mm[1] = NULL;
	}
	put(run, 0, 0, 1, TOKEN);
}

static void expect_joins(struct schedule_run *run, unsigned int nr)
{
	struct um_stats stats;

	um_stats(run->world, &stats);
	if (stats.joins != nr)
		schedule_finding(run, "%llu children joined, not %u",
				 (unsigned long long)stats.joins, nr);
}

/* -- The fork that joins --------------------------------------------------------------- */

/*
 *	mm 16	[0]	fork ->		mm 16	[0]
 *					`- mm 17 [0]	behind mm 16 in the list
 */
static void join_setup(struct schedule_run *run)
{
	join_deep(run);
	walk_open(run, 0, run->mm[0], P(0));
}

static void join_thread(struct schedule_run *run)
{
	fork_to(run, 0, 1);
}

static void join_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	expect_joins(run, 1);
	walk_expect(run, 0, "16@0 17@0?");
	walk_expect_once(run, 0);
	put(run, 1, 0, 1, 1);
	expect(run, 0, 0, 1, TOKEN);
}

/*
 *	mm 16	[16] moved to [0]	the child's chain entry gets the same key
 */
static void join_displaced_setup(struct schedule_run *run)
{
	join_deep(run);
	move(run, 0, 0, 1, 16, 0);
	walk_open(run, 0, run->mm[0], P(16));
}

#define join_displaced_thread	join_thread

static void join_displaced_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "16@16 17@16?");
	walk_expect_once(run, 0);
	put(run, 1, 16, 1, 1);
	expect(run, 0, 16, 1, TOKEN);
}

/* -- The parent, or the child, exits --------------------------------------------------- */

static void join_exit_setup(struct schedule_run *run)
{
	join_setup(run);
	fork_to(run, 0, 1);
}

static void join_exit_thread(struct schedule_run *run)
{
	leave(run, 0);
}

static void join_exit_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "16@0? 17@0");
	expect(run, 1, 0, 1, TOKEN);
}

#define join_exit_child_setup	join_exit_setup

static void join_exit_child_thread(struct schedule_run *run)
{
	leave(run, 1);
}

static void join_exit_child_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "16@0 17@0?");
	expect(run, 0, 0, 1, TOKEN);
}

/* -- munmap in one of them ------------------------------------------------------------- */

#define join_munmap_setup	join_exit_setup

static void join_munmap_thread(struct schedule_run *run)
{
	unmap(run, 1, 0, 1);
}

#define join_munmap_check	join_exit_child_check

#define SCENARIOS_JOIN(op, bound, rows, story)						\
	SCENARIO_AGAINST(walk, op, bound, rows, "lazy", thread_walk_full, story);		\
	SCENARIO_LOCKLESS(op, bound, rows, thread_walk_try, story);				\
	SCENARIO_AGAINST(migrate, op, bound, rows, "lazy", thread_walk_migrate, story)

#define SCENARIOS_JOIN_LOCKED(op, bound, rows, story)					\
	SCENARIO_AGAINST(walk, op, bound, rows, "lazy", thread_walk_full, story);		\
	SCENARIO_AGAINST(try, op, bound, rows, "lazy", thread_walk_try, story);		\
	SCENARIO_AGAINST(migrate, op, bound, rows, "lazy", thread_walk_migrate, story)

SCENARIOS_JOIN(join, 4, "R34", "A child joins the anon_vma of its parent during a walk.");
SCENARIOS_JOIN_LOCKED(join_displaced, 4, "R34", "The same, with a displaced VMA.");
SCENARIOS_JOIN(join_exit, 3, "R34", "The parent of a child that has joined it exits.");
SCENARIOS_JOIN(join_exit_child, 3, "R34", "A child that has joined its parent exits.");
SCENARIOS_JOIN_LOCKED(join_munmap, 4, "R34 R39",
		      "A child that has joined its parent unmaps the page.");

/* -- Both ------------------------------------------------------------------------------ */

static void join_next(struct schedule_run *run)
{
	fork_to(run, 1, 2);
}

static void join_both_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	expect_joins(run, 2);
	walk_expect(run, 0, "16@0? 17@0 18@0?");
	put(run, 2, 0, 1, 1);
	expect(run, 1, 0, 1, TOKEN);
}

const struct schedule_scenario join_vs_exit = {
	.name = "join_vs_exit",
	.rows = "R34",
	.topologies = "lazy",
	.story = "A child that has joined forks, while its parent exits.",
	.nr_threads = 2,
	.bound = 4,
	.setup = join_exit_setup,
	.thread = { join_next, join_exit_thread },
	.check = join_both_check,
};

const struct schedule_scenario join_vs_exit_vs_walk = {
	.name = "join_vs_exit_vs_walk",
	.rows = "R34",
	.topologies = "lazy",
	.story = "The same, with a walk under way.",
	.nr_threads = 3,
	.bound = 3,
	.setup = join_exit_setup,
	.thread = { join_next, join_exit_thread, thread_walk_full },
	.check = join_both_check,
};
