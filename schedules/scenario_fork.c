// SPDX-License-Identifier: GPL-2.0
/*
 * Walks against fork: the child is found, or it was copied from what the walk had done
 */
#include <errno.h>
#include <stddef.h>
#include <kshim/fault.h>
#include "scenario.h"

/* -- The plain fork -------------------------------------------------------------------- */

/*
 *	mm 1	[0]		fork ->		mm 1	[0]
 *						mm 2	[0]	the same page
 */
static void fork_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 1);
	put(run, 0, 0, 1, TOKEN);
	walk_open(run, 0, run->mm[0], P(0));
}

static void fork_thread(struct schedule_run *run)
{
	fork_to(run, 0, 1);
}

static void fork_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 2@0?");
	walk_expect_visits(run, 0, 2);
	put(run, 1, 0, 1, 1);
	expect(run, 0, 0, 1, TOKEN);
}

SCENARIOS_AGAINST_WALKS(fork, 4, "R07 R42", "A process forks while its page is walked.");

static void migrate_twice(struct schedule_run *run)
{
	walk_migrate(run, 0);
	walk_migrate(run, 0);
}

/*
 * The second migration's notes are its own: a copy that was made of an entry of the first,
 * or late, must not be left behind by the second one's early stop.
 */
SCENARIO_AGAINST(migrate_twice, fork, 3, "R42", "regular,lazy", migrate_twice,
		 "A fork goes on copying while a folio is migrated twice in a row.");

/* -- Fork, and a write ----------------------------------------------------------------- */

/*
 *	mm 1	[0]	fork, write ->	mm 1	[0']	a copy
 *					mm 2	[0]	the page, here only
 *
 * The page leaves the parent without any VMA being changed. A walk that looked at the parent
 * after that, and at its children before, would find it nowhere.
 */
static void fork_write_thread(struct schedule_run *run)
{
	fork_to(run, 0, 1);
	put(run, 0, 0, 1, 1);
}

static void fork_write_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 2@0? | 2@0");
	walk_expect_visits(run, 0, 2);
	expect(run, 0, 0, 1, 1);
	expect(run, 1, 0, 1, TOKEN);
}

#define fork_write_setup	fork_setup

SCENARIOS_AGAINST_WALKS(fork_write, 3, "R07 R42",
			"A process forks, and writes: its page is the child's alone.");

/* -- A displaced VMA is copied --------------------------------------------------------- */

/*
 *	mm 1	[16] moved to [0]	fork ->		both	[0], with the offset of 16
 */
static void fork_displaced_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 16, 1);
	put(run, 0, 16, 1, TOKEN);
	move(run, 0, 16, 1, 0, 0);
	walk_open(run, 0, run->mm[0], P(0));
}

#define fork_displaced_thread	fork_thread
#define fork_displaced_check	fork_check

SCENARIOS_AGAINST_LOCKED_WALKS(fork_displaced, 4, "R07",
			       "The child of a process with a displaced VMA gets a chain entry.");

/* -- A fork further down --------------------------------------------------------------- */

/*
 *	mm 1	[0]			mm 1	[0]
 *	`- mm 2	[0]	fork ->		`- mm 2	[0]
 *					   `- mm 3 [0]
 *
 * The walk that stands in mm 1, the owner's, comes to mm 3 by way of mm 2.
 */
static void fork_below_setup(struct schedule_run *run)
{
	fork_setup(run);
	fork_to(run, 0, 1);
}

static void fork_below_thread(struct schedule_run *run)
{
	fork_to(run, 1, 2);
}

static void fork_below_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 2@0 3@0?");
	walk_expect_visits(run, 0, 3);
	put(run, 2, 0, 1, 1);
	expect(run, 0, 0, 1, TOKEN);
	expect(run, 1, 0, 1, TOKEN);
}

SCENARIOS_AGAINST_LOCKED_WALKS(fork_below, 4, "R07 R38 R42",
			       "A child forks while a walk comes from its parent's anon_vma.");

/* -- A fork that fails ----------------------------------------------------------------- */

/*
 *	mm 1	[0]  [2]  [4]		fork ->		mm 1	[0]  [2]  [4]
 *							mm 3	[0] -ENOMEM
 *
 * It fails with the first page copied: at its last allocation for the second VMA. A fork in
 * setup() counts them (and was mm 2), when there is no third one yet. Until it is cut off,
 * the child's VMA tree has the parent's VMAs from there on.
 */
static unsigned int last_allocation;

static void fork_fails_setup(struct schedule_run *run)
{
	unsigned long before;

	start(run, 0);
	map(run, 0, 0, 1);
	map(run, 0, 2, 1);
	put(run, 0, 0, 1, TOKEN);
	put(run, 0, 2, 1, TOKEN + 2);
	before = kshim_fail_seen();
	fork_to(run, 0, 1);
	last_allocation = kshim_fail_seen() - before;
	leave(run, 1);
	map(run, 0, 4, 1);
	put(run, 0, 4, 1, TOKEN + 4);
	walk_open(run, 0, run->mm[0], P(0));
	walk_open(run, 1, run->mm[0], P(4));
}

static void fork_fails_thread(struct schedule_run *run)
{
	struct mm_struct *child;
	int err;

	kshim_fail_nth(last_allocation);
	err = um_fork(run->mm[0], &child);
	kshim_fail_disarm();
	if (err != -ENOMEM)
		schedule_finding(run, "a fork whose allocation fails returns %d", err);
}

static void fork_fails_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 3@0?");
	walk_expect(run, 1, "1@4");
	walk_expect_visits(run, 1, 1);
	expect(run, 0, 0, 1, TOKEN);
	put(run, 0, 2, 1, 1);
	expect(run, 0, 0, 1, TOKEN);
}

SCENARIOS_AGAINST_WALKS(fork_fails, 3, "R22 R31",
			"A fork gives up half way while a page that it has copied is walked.");

static void walk_third(struct schedule_run *run)
{
	walk_full(run, 1);
}

SCENARIO_AGAINST(walk_third, fork_fails, 4, "R31", "regular,lazy", walk_third,
		 "The half-made child's tree has the parent's VMA, which is not visited by it.");

static void unmap_third(struct schedule_run *run)
{
	unmap(run, 0, 4, 1);
}

/* Where that comes first, the fork needs less memory, and may be made. */
static void fork_may_fail(struct schedule_run *run)
{
	kshim_fail_nth(last_allocation);
	um_fork_known(run->mm[0], P(0), P(1), &run->mm[1]);
	kshim_fail_disarm();
}

static void fork_fails_unmap_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 1, "1@4 |");
	expect(run, 0, 0, 1, TOKEN);
}

/* After the fork has failed the parent's VMA may be freed, with a walk in the child. */
const struct schedule_scenario fork_fails_vs_unmap_vs_walk = {
	.name = "fork_fails_vs_unmap_vs_walk",
	.rows = "R02 R31",
	.topologies = "lazy",
	.story = "The parent unmaps what a failed fork has left in the child's VMA tree, "
		 "while a walk comes to the child.",
	.nr_threads = 3,
	.bound = 3,
	.setup = fork_fails_setup,
	.thread = { fork_may_fail, unmap_third, walk_third },
	.check = fork_fails_unmap_check,
};

/* -- The parent exits ------------------------------------------------------------------ */

/*
 *	mm 1	[0]			mm 1 exits
 *	`- mm 2	[0]	fork ->		`- mm 2	[0]
 *					   `- mm 3 [0]
 */
static void exit_of_parent(struct schedule_run *run)
{
	leave(run, 0);
}

static void fork_exit_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0? 2@0 3@0?");
	expect(run, 1, 0, 1, TOKEN);
	put(run, 2, 0, 1, 1);
	leave(run, 1);
	expect(run, 2, 0, 1, 1);
}

const struct schedule_scenario fork_vs_exit_of_parent = {
	.name = "fork_vs_exit_of_parent",
	.rows = "R20 R38",
	.topologies = "regular,lazy",
	.story = "A process forks while its parent, whose anon_vma owns the page, exits.",
	.nr_threads = 2,
	.bound = 4,
	.setup = fork_below_setup,
	.thread = { fork_below_thread, exit_of_parent },
	.check = fork_exit_check,
};

const struct schedule_scenario fork_vs_exit_of_parent_vs_walk = {
	.name = "fork_vs_exit_of_parent_vs_walk",
	.rows = "R07 R20 R38",
	.topologies = "regular,lazy",
	.story = "The same, with a walk under way.",
	.nr_threads = 3,
	.bound = 3,
	.setup = fork_below_setup,
	.thread = { fork_below_thread, exit_of_parent, thread_walk_full },
	.check = fork_exit_check,
};

/*
 *	mm 1	[0]	forks, and exits at once, while mm 2, forked before, forks too
 */
static void fork_and_exit(struct schedule_run *run)
{
	fork_to(run, 0, 3);
	leave(run, 0);
}

static void two_forks_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	expect(run, 1, 0, 1, TOKEN);
	expect(run, 2, 0, 1, TOKEN);
	put(run, 3, 0, 1, 1);
	expect(run, 1, 0, 1, TOKEN);
}

const struct schedule_scenario fork_vs_fork_and_exit = {
	.name = "fork_vs_fork_and_exit",
	.rows = "R38",
	.topologies = "regular,lazy",
	.story = "Parent and child fork at the same time, and the parent exits.",
	.nr_threads = 2,
	.bound = 4,
	.setup = fork_below_setup,
	.thread = { fork_below_thread, fork_and_exit },
	.check = two_forks_check,
};

/* -- The first fault of all ------------------------------------------------------------ */

/*
 *	mm 1	[0] written	fork, which makes the parent's anon_vma if there is none
 */
static void first_fault_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 1);
}

static void first_fault(struct schedule_run *run)
{
	put(run, 0, 0, 1, TOKEN);
}

static void first_fault_fork(struct schedule_run *run)
{
	/* What the child has of a page that is written at the same time is not known. */
	int err = um_fork_known(run->mm[0], P(1), P(1), &run->mm[1]);

	if (err)
		schedule_finding(run, "um_fork_known: error %d", err);
}

static void first_fault_check(struct schedule_run *run)
{
	uint64_t content;

	if (!still(run))
		return;
	if (um_read(run->mm[1], P(0), &content) || (content != 0 && content != TOKEN))
		schedule_finding(run, "the child reads %llu", (unsigned long long)content);
	put(run, 1, 0, 1, 1);
	expect(run, 0, 0, 1, TOKEN);
}

const struct schedule_scenario fork_vs_first_fault = {
	.name = "fork_vs_first_fault",
	.rows = "R07 R25",
	.topologies = "regular,lazy",
	.story = "A process forks while its first anonymous page of all is faulted.",
	.nr_threads = 2,
	.bound = 4,
	.setup = first_fault_setup,
	.thread = { first_fault_fork, first_fault },
	.check = first_fault_check,
};
