// SPDX-License-Identifier: GPL-2.0
/*
 * First faults against split and merge: a VMA gets its rmap state once, and the state that
 * fits the VMA it is by then
 */
#include <stddef.h>
#include "scenario.h"

static void expect_vmas(struct schedule_run *run, unsigned int nr)
{
	size_t found = um_vmas(run->mm[0], NULL, 0);

	if (found != nr)
		schedule_finding(run, "%zu VMAs, not %u", found, nr);
}

/*
 * Nothing is left to tell the two apart. In the regular topology a VMA whose neighbour was
 * faulted first, or has been through a fork, may have to stay.
 */
static void expect_merged(struct schedule_run *run)
{
	if (run->lazy)
		expect_vmas(run, 1);
}

static void fault_first(struct schedule_run *run)
{
	put(run, 0, 0, 1, TOKEN);
}

static void fault_second(struct schedule_run *run)
{
	put(run, 0, 1, 1, TOKEN + 1);
}

#define SCENARIO_FAULT(op, what, bound_, rows_, story_)				\
const struct schedule_scenario fault_##what##_vs_##op = {			\
	.name = "fault_" #what "_vs_" #op,					\
	.rows = rows_,							\
	.topologies = "regular,lazy",					\
	.story = story_,						\
	.nr_threads = 2,						\
	.bound = bound_,							\
	.setup = op##_setup,						\
	.thread = { op##_thread, fault_##what },				\
	.check = op##_##what##_check,					\
}

/* -- Merge ----------------------------------------------------------------------------- */

/*
 *	[0][1]	both unfaulted  ->  [0 1]	while one of them is faulted
 */
static void merge_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 2);
	protect(run, 0, 1, 1, RW | PROT_EXEC);
}

static void merge_thread(struct schedule_run *run)
{
	protect(run, 0, 1, 1, RW);
}

static void merge_first_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	expect_merged(run);
	expect(run, 0, 0, 1, TOKEN);
	put(run, 0, 1, 1, 1);
}

static void merge_second_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	expect_merged(run);
	expect(run, 0, 1, 1, TOKEN + 1);
	put(run, 0, 0, 1, 1);
}

SCENARIO_FAULT(merge, first, 4, "R24 R25", "The VMA that stays is faulted while it merges.");
SCENARIO_FAULT(merge, second, 4, "R24 R25", "The VMA that goes is faulted while it merges.");

/*
 *	[0*][1]	page 0 is faulted, or was, and has been through a fork
 */
static void merge_faulted_setup(struct schedule_run *run)
{
	merge_setup(run);
	put(run, 0, 0, 1, TOKEN);
	fork_to(run, 0, 1);
}

#define merge_faulted_thread	merge_thread

static void merge_faulted_second_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	expect_merged(run);
	expect(run, 0, 0, 1, TOKEN);
	expect(run, 0, 1, 1, TOKEN + 1);
	put(run, 0, 0, 1, 1);
	expect(run, 1, 0, 1, TOKEN);
}

SCENARIO_FAULT(merge_faulted, second, 4, "R15 R21 R25",
	       "An unfaulted VMA is faulted while it merges with one that has been forked.");

/* -- Merge, where a first fault decides the numbering ---------------------------------- */

/*
 *	[0*1] ........		page 0 is faulted
 *	........ [16*][17]	moved, so displaced; then split by protection, and merged again
 */
static void merge_displaced_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 2);
	put(run, 0, 0, 1, TOKEN);
	move(run, 0, 0, 2, 16, 0);
	protect(run, 0, 17, 1, RW | PROT_EXEC);
}

static void merge_displaced_thread(struct schedule_run *run)
{
	protect(run, 0, 17, 1, RW);
}

static void fault_moved(struct schedule_run *run)
{
	put(run, 0, 17, 1, TOKEN + 1);
}

static void merge_displaced_moved_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	expect_merged(run);
	expect(run, 0, 16, 2, TOKEN);
}

SCENARIO_FAULT(merge_displaced, moved, 4, "R24 R25",
	       "A page comes to life in a displaced VMA that merges with another one.");

/*
 *	[0][1]	private /dev/zero, file offset 5: displaced from its first fault on
 */
static void merge_zero_setup(struct schedule_run *run)
{
	run->file[0] = um_file_create(run->world, UM_FILE_ZERO);
	start(run, 0);
	map_file(run, 0, 0, 2, run->file[0], 5);
	protect(run, 0, 1, 1, RW | PROT_EXEC);
}

#define merge_zero_thread		merge_thread
#define merge_zero_first_check		merge_first_check
#define merge_zero_second_check		merge_second_check

SCENARIO_FAULT(merge_zero, first, 4, "R08 R25",
	       "A VMA of /dev/zero, displaced from the start, is faulted while it merges.");
SCENARIO_FAULT(merge_zero, second, 4, "R08 R25",
	       "The same for the VMA that goes.");

/*
 *	[0][1]	a private file mapping: numbered by where it is first faulted
 */
static void merge_file_setup(struct schedule_run *run)
{
	run->file[0] = um_file_create(run->world, UM_FILE_REGULAR);
	start(run, 0);
	map_file(run, 0, 0, 2, run->file[0], 5);
	protect(run, 0, 1, 1, RW | PROT_EXEC);
}

#define merge_file_thread		merge_thread
#define merge_file_first_check		merge_first_check
#define merge_file_second_check		merge_second_check

SCENARIO_FAULT(merge_file, first, 4, "R08 R25",
	       "A private file mapping is written to while it merges.");
SCENARIO_FAULT(merge_file, second, 4, "R08 R25", "The same for the VMA that goes.");

/* -- Split ----------------------------------------------------------------------------- */

/*
 *	[0 1]  ->  [0][1]
 */
static void split_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 2);
}

static void split_thread(struct schedule_run *run)
{
	protect(run, 0, 1, 1, RW | PROT_EXEC);
}

static void split_first_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	expect_vmas(run, 2);
	expect(run, 0, 0, 1, TOKEN);
	put(run, 0, 1, 1, 1);
}

static void split_second_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	expect_vmas(run, 2);
	expect(run, 0, 1, 1, TOKEN + 1);
	put(run, 0, 0, 1, 1);
}

SCENARIO_FAULT(split, first, 4, "R24 R25", "A VMA is split while its first page comes to life.");
SCENARIO_FAULT(split, second, 4, "R24 R25", "The same for the part that is split off.");

static void split_zero_setup(struct schedule_run *run)
{
	run->file[0] = um_file_create(run->world, UM_FILE_ZERO);
	start(run, 0);
	map_file(run, 0, 0, 2, run->file[0], 5);
}

#define split_zero_thread		split_thread
#define split_zero_second_check		split_second_check

SCENARIO_FAULT(split_zero, second, 4, "R08 R25",
	       "A VMA that will be displaced is split while its first page comes to life.");

/* -- Two faults ------------------------------------------------------------------------ */

/*
 *	[0 1]	/dev/zero: both pages are written for the first time at once, and the VMA gets
 *		one chain entry
 */
#define both_zero_setup		split_zero_setup
#define both_zero_thread	fault_first

static void both_zero_second_check(struct schedule_run *run)
{
	if (still(run))
		expect(run, 0, 0, 2, TOKEN);
}

SCENARIO_FAULT(both_zero, second, 3, "R25", "Two first faults in a VMA that becomes displaced.");

#define both_setup		split_setup
#define both_thread		fault_first
#define both_second_check	both_zero_second_check

SCENARIO_FAULT(both, second, 3, "R25", "Two first faults in one VMA of a new process.");

/*
 *	[0 1]	two threads write their first page in a new process; one of them walks its page
 *		at once, and must find it, though the anon_vma may be the other's work
 */
static void fault_and_walk(struct schedule_run *run)
{
	fault_second(run);
	walk_open(run, 0, run->mm[0], P(1));
	walk_full(run, 0);
}

static void fault_and_walk_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@1");
	expect(run, 0, 0, 2, TOKEN);
}

const struct schedule_scenario fault_vs_fault_and_walk = {
	.name = "fault_vs_fault_and_walk",
	.rows = "R25 R27",
	.topologies = "regular,lazy",
	.story = "A page is walked as soon as it is there, while the first fault of all goes on.",
	.nr_threads = 2,
	.bound = 3,
	.setup = split_setup,
	.thread = { fault_first, fault_and_walk },
	.check = fault_and_walk_check,
};

/*
 *	[0][1]	two VMAs: in the regular topology one takes over the other's anon_vma
 */
#define neighbours_setup		merge_setup
#define neighbours_thread		fault_first
#define neighbours_second_check		both_zero_second_check

SCENARIO_FAULT(neighbours, second, 3, "R15 R25", "First faults in two VMAs that are neighbours.");

/* -- A move ---------------------------------------------------------------------------- */

/*
 *	[0 1] ........	page 0 comes to life, or not, before the VMA moves
 *	........ [16 17]
 */
static void moved_setup(struct schedule_run *run)
{
	split_setup(run);
	without_model(run, 0);
}

static void moved_thread(struct schedule_run *run)
{
	move(run, 0, 0, 2, 16, MREMAP_DONTUNMAP);
}

static void moved_first_check(struct schedule_run *run)
{
	uint64_t old = 0, new = 0;

	if (!still(run))
		return;
	/* Written before the move it went along, written after it came to life at the old place. */
	if (um_read(run->mm[0], P(0), &old) || um_read(run->mm[0], P(16), &new) ||
	    old + new != TOKEN)
		schedule_finding(run, "page 0 holds %llu, page 16 holds %llu",
				 (unsigned long long)old, (unsigned long long)new);
	put(run, 0, 1, 1, 1);
	put(run, 0, 17, 1, 1);
}

SCENARIO_FAULT(moved, first, 4, "R21 R25",
	       "A VMA moves, and stays, while its first page comes to life.");
