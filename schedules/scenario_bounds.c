// SPDX-License-Identifier: GPL-2.0
/*
 * Walks against split and merge: each page is in one VMA at any moment
 *
 * The page is always a folio of four, so that a walk has to put it together from the VMAs
 * that it spans; protection, changed page by page, tells these apart. In place at 0, or
 * moved from there to 16.
 */
#include <stddef.h>
#include "scenario.h"

static void bounds_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 4);
	put_large(run, 0, 0, 2);
	walk_open(run, 0, run->mm[0], P(0));
}

static void bounds_displaced_setup(struct schedule_run *run)
{
	bounds_setup(run);
	move(run, 0, 0, 4, 16, 0);
}

static void bounds_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 1@1 1@2 1@3");
	expect(run, 0, 0, 4, TOKEN);
}

static void bounds_displaced_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@16 1@17 1@18 1@19");
	expect(run, 0, 16, 4, TOKEN);
}

/*
 * OP in place, and OP_displaced. READ: the pages, from the first of the folio on, that
 * setup() makes read-only. PAGE, PAGES: what the thread makes read-only, or writable.
 */
#define BOUNDS(op, read, nr_read, page, pages, prot, at, in)			\
static void op##in##_setup(struct schedule_run *run)			\
{									\
	bounds##in##_setup(run);						\
	if (nr_read)							\
		protect(run, 0, at + read, nr_read, PROT_READ);		\
}									\
static void op##in##_thread(struct schedule_run *run)			\
{									\
	protect(run, 0, at + page, pages, prot);				\
}

#define split_check			bounds_check
#define split_displaced_check		bounds_displaced_check
#define merge_both_check		bounds_check
#define merge_both_displaced_check	bounds_displaced_check
#define merge_left_check		bounds_check
#define merge_left_displaced_check	bounds_displaced_check
#define merge_right_check		bounds_check
#define merge_right_displaced_check	bounds_displaced_check
#define shift_up_check			bounds_check
#define shift_up_displaced_check	bounds_displaced_check
#define shift_down_check		bounds_check
#define shift_down_displaced_check	bounds_displaced_check

/*
 *	[0 1 2 3]  ->  [0][1 2][3]
 */
BOUNDS(split, 0, 0, 1, 2, PROT_READ, 0, )
BOUNDS(split, 0, 0, 1, 2, PROT_READ, 16, _displaced)
SCENARIOS_AGAINST_WALKS(split, 4, "R03 R05", "The VMA of a folio is split in three.");
SCENARIOS_AGAINST_LOCKED_WALKS(split_displaced, 4, "R03 R05",
			       "The displaced VMA of a folio is split in three.");

/*
 *	[0][1 2][3]  ->  [0 1 2 3]
 */
BOUNDS(merge_both, 1, 2, 1, 2, RW, 0, )
BOUNDS(merge_both, 1, 2, 1, 2, RW, 16, _displaced)
SCENARIOS_AGAINST_WALKS(merge_both, 4, "R05 R24", "Three VMAs that a folio spans become one.");
SCENARIOS_AGAINST_LOCKED_WALKS(merge_both_displaced, 4, "R05 R24",
			       "Three displaced VMAs that a folio spans become one.");

/*
 *	[0 1][2 3]  ->  [0 1 2 3]	the left one grows over the right one
 */
BOUNDS(merge_left, 2, 2, 2, 2, RW, 0, )
BOUNDS(merge_left, 2, 2, 2, 2, RW, 16, _displaced)
SCENARIOS_AGAINST_WALKS(merge_left, 4, "R05 R24", "A VMA grows over the one behind it.");
SCENARIOS_AGAINST_LOCKED_WALKS(merge_left_displaced, 4, "R05 R24",
			       "A displaced VMA grows over the one behind it.");

/*
 *	[0 1][2 3]  ->  [0 1 2 3]	the right one grows over the left one
 */
BOUNDS(merge_right, 0, 2, 0, 2, RW, 0, )
BOUNDS(merge_right, 0, 2, 0, 2, RW, 16, _displaced)
SCENARIOS_AGAINST_WALKS(merge_right, 4, "R05 R24", "A VMA grows over the one before it.");
SCENARIOS_AGAINST_LOCKED_WALKS(merge_right_displaced, 4, "R05 R24",
			       "A displaced VMA grows over the one before it.");

/*
 *	[0 1][2 3]  ->  [0 1 2][3]	the boundary moves
 */
BOUNDS(shift_up, 2, 2, 2, 1, RW, 0, )
BOUNDS(shift_up, 2, 2, 2, 1, RW, 16, _displaced)
SCENARIOS_AGAINST_WALKS(shift_up, 4, "R05 R24", "The boundary between two VMAs moves up.");
SCENARIOS_AGAINST_LOCKED_WALKS(shift_up_displaced, 4, "R05 R24",
			       "The boundary between two displaced VMAs moves up.");

/*
 *	[0 1][2 3]  ->  [0][1 2 3]
 */
BOUNDS(shift_down, 0, 2, 1, 1, RW, 0, )
BOUNDS(shift_down, 0, 2, 1, 1, RW, 16, _displaced)
SCENARIOS_AGAINST_WALKS(shift_down, 4, "R05 R24", "The boundary between two VMAs moves down.");
SCENARIOS_AGAINST_LOCKED_WALKS(shift_down_displaced, 4, "R05 R24",
			       "The boundary between two displaced VMAs moves down.");

/* -- A child's VMAs -------------------------------------------------------------------- */

/*
 *	mm 1	[0 1 2 3]		the parent's, the owner's
 *	`- mm 2	[0 1 2 3]  ->  [0][1 2][3]
 */
static void split_child_setup(struct schedule_run *run)
{
	bounds_setup(run);
	fork_to(run, 0, 1);
}

static void split_child_thread(struct schedule_run *run)
{
	protect(run, 1, 1, 2, PROT_READ);
}

static void split_child_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 1@1 1@2 1@3 2@0 2@1 2@2 2@3");
	expect(run, 1, 0, 4, TOKEN);
}

SCENARIOS_AGAINST_LOCKED_WALKS(split_child, 4, "R05",
			       "A child's VMA of a folio is split in three.");

/* -- Walks wait behind a writer -------------------------------------------------------- */

/*
 * Two walks hold, or wait for, the lock of mm 1 and then that of mm 2, for which a writer
 * waits too: nobody may wait for ever, and a reader is not let past the writer.
 */
static void walk_other(struct schedule_run *run)
{
	walk_full(run, 1);
}

static void queue_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 2);
	put(run, 0, 0, 2, TOKEN);
	fork_to(run, 0, 1);
	walk_open(run, 0, run->mm[0], P(0));
	walk_open(run, 1, run->mm[0], P(1));
}

static void queue_thread(struct schedule_run *run)
{
	protect(run, 1, 1, 1, PROT_READ);
}

static void queue_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 2@0");
	walk_expect(run, 1, "1@1 2@1");
	expect(run, 1, 0, 2, TOKEN);
}

const struct schedule_scenario walk_vs_walk_vs_writer = {
	.name = "walk_vs_walk_vs_writer",
	.rows = "R19 R28",
	.topologies = "regular,lazy",
	.story = "Two walks, and a writer that queues between them.",
	.nr_threads = 3,
	.bound = 3,
	.setup = queue_setup,
	.thread = { queue_thread, thread_walk_full, walk_other },
	.check = queue_check,
};

static void queue_try(struct schedule_run *run)
{
	walk_try(run, 1);
}

const struct schedule_scenario walk_vs_try_vs_writer = {
	.name = "walk_vs_try_vs_writer",
	.rows = "R19",
	.topologies = "regular,lazy",
	.story = "A walk that waits, one that does not, and a writer that queues.",
	.nr_threads = 3,
	.bound = 3,
	.setup = queue_setup,
	.thread = { queue_thread, thread_walk_full, queue_try },
	.check = queue_check,
};

/* -- Two writers ----------------------------------------------------------------------- */

/*
 *	[0 1 2 3  4 5 6 7]	two folios; the first one is watched, and its VMA split, while
 *	[0][1 2][3 4 ... 7]	the second folio is split, under the same lock
 *
 * What one of them does when it is done must not look as if the other one was done too.
 */
static void writers_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 8);
	put_large(run, 0, 0, 2);
	put_large(run, 0, 4, 2);
	walk_open(run, 0, run->mm[0], P(0));
}

static void writers_split_folio(struct schedule_run *run)
{
	int err = um_split_huge(run->mm[0], P(4));

	if (err)
		schedule_finding(run, "um_split_huge: error %d", err);
}

const struct schedule_scenario lockless_vs_writer_vs_writer = {
	.name = "lockless_vs_writer_vs_writer",
	.rows = "R05 R10",
	.topologies = "lazy",
	.lockless = true,
	.story = "Two who change what one anon_vma leads to, and a walk without lock.",
	.nr_threads = 3,
	.bound = 3,
	.setup = writers_setup,
	.thread = { split_thread, writers_split_folio, thread_walk_try },
	.check = bounds_check,
};
