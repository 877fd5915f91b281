// SPDX-License-Identifier: GPL-2.0
/*
 * Large scenarios: four threads, several operations each, on a family of processes. They
 * have too many schedules to try all, and are run by lot (--pct).
 *
 * A range of an address space is changed by one thread only, so that it is known what must
 * be there in the end, however the threads took turns.
 */
#include <errno.h>
#include "scenario.h"

#define PAGES	8

#define SCENARIO_STRESS(what, rows_, story_)						\
const struct schedule_scenario stress_##what = {					\
	.name = "stress_" #what,							\
	.rows = rows_,									\
	.topologies = "regular,lazy",							\
	.story = story_,								\
	.nr_threads = 4,								\
	.large = true,									\
	.setup = what##_setup,								\
	.thread = { what##_0, what##_1, what##_2, what##_3 },				\
	.check = what##_check,								\
}

/* -- What several of them do ------------------------------------------------------------ */

/*
 *	mm 1		[0][1][2][3][4][5][6][7]
 *	|- mm 2		[0][1][2][3](4)(5)[6][7]	() copied since
 *	|  `- mm 3	[0][1][2][3](4)(5)[6][7]
 *	`- mm 4		[0][1][2][3][4][5][6][7]
 */
static void family(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, PAGES);
	put(run, 0, 0, PAGES, TOKEN);
	fork_to(run, 0, 1);
	put(run, 1, 4, 2, 200);
	fork_to(run, 1, 2);
	fork_to(run, 0, 3);
}

static void family_watched(struct schedule_run *run)
{
	family(run);
	walk_open(run, 0, run->mm[0], P(0));
}

/* What the first reclaim sees as used, the next ones take. */
static void swap_out(struct schedule_run *run)
{
	um_reclaim(run->world, 2 * PAGES);
	um_reclaim(run->world, 2 * PAGES);
	um_reclaim(run->world, 2 * PAGES);
}

static void new_frames(struct schedule_run *run)
{
	um_migrate(run->world, 2 * PAGES);
	um_migrate(run->world, 2 * PAGES);
}

static void frames_and_swap(struct schedule_run *run)
{
	um_migrate(run->world, 2 * PAGES);
	swap_out(run);
	um_migrate(run->world, 2 * PAGES);
}

/* -- Generations ------------------------------------------------------------------------ */

#define lineage_setup	family

static void lineage_0(struct schedule_run *run)
{
	fork_to(run, 0, 4);
	put(run, 0, 0, 2, 300);
	unmap(run, 0, 6, 2);
	fork_to(run, 0, 5);
}

static void lineage_1(struct schedule_run *run)
{
	move(run, 1, 0, 4, 32, 0);
	put(run, 1, 33, 1, 400);
	protect(run, 1, 4, 2, PROT_READ);
	unmap(run, 1, 6, 1);
}

static void lineage_2(struct schedule_run *run)
{
	leave(run, 2);
	fork_to(run, 3, 6);
	put(run, 3, 2, 2, 500);
	leave(run, 3);
}

#define lineage_3	frames_and_swap

/* The tables of all that are left, twice: as they are, and after pages were taken again. */
static void lineage_check(struct schedule_run *run)
{
	int again;

	if (!still(run))
		return;
	for (again = 0; again < 2; again++) {
		expect(run, 0, 0, 2, 300);
		expect(run, 0, 2, 4, TOKEN + 2);
		expect(run, 4, 0, PAGES, TOKEN);
		expect(run, 5, 0, 2, 300);
		expect(run, 5, 2, 4, TOKEN + 2);
		expect(run, 1, 32, 1, TOKEN);
		expect(run, 1, 33, 1, 400);
		expect(run, 1, 34, 2, TOKEN + 2);
		expect(run, 1, 4, 2, 200);
		expect(run, 1, 7, 1, TOKEN + 7);
		expect(run, 6, 0, PAGES, TOKEN);
		frames_and_swap(run);
	}
}

SCENARIO_STRESS(lineage, "R03 R07 R09 R17 R38",
		"Four processes fork, write, move, unmap and exit, while pages get other frames "
		"and go to swap.");

/* -- Moves ------------------------------------------------------------------------------ */

#define moves_setup	family_watched

static void moves_0(struct schedule_run *run)
{
	move(run, 0, 2, 4, 32, 0);
	put(run, 0, 33, 1, 300);
	move(run, 0, 32, 4, 2, 0);
	protect(run, 0, 2, 2, PROT_READ);
}

static void moves_1(struct schedule_run *run)
{
	move(run, 1, 0, PAGES, 32, 0);
	move(run, 1, 34, 2, 64, 0);
	fork_to(run, 1, 4);
	unmap(run, 1, 32, 2);
}

static void moves_2(struct schedule_run *run)
{
	protect(run, 2, 1, 2, PROT_READ);
	move(run, 2, 4, 2, 48, MREMAP_DONTUNMAP);
	protect(run, 2, 1, 2, RW);
	put(run, 2, 1, 1, 400);
}

static void moves_3(struct schedule_run *run)
{
	walk_migrate(run, 0);
	um_migrate(run->world, 2 * PAGES);
	walk_full(run, 0);
	walk_try(run, 0);
}

static void moves_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 2@0? 2@32? 3@0 4@0 5@32?");
	expect(run, 0, 0, 3, TOKEN);
	expect(run, 0, 3, 1, 300);
	expect(run, 0, 4, 4, TOKEN + 4);
	expect(run, 1, 64, 2, TOKEN + 2);
	expect(run, 1, 36, 2, 200);
	expect(run, 1, 38, 2, TOKEN + 6);
	expect(run, 4, 32, 2, TOKEN);
	expect(run, 4, 64, 2, TOKEN + 2);
	expect(run, 2, 1, 1, 400);
	expect(run, 2, 48, 2, 200);
	expect(run, 2, 4, 1, 0);
	expect(run, 3, 0, PAGES, TOKEN);
}

SCENARIO_STRESS(moves, "R03 R06 R28 R41",
		"Three processes move parts away and back, over gaps and borders, while one page "
		"is walked and all get other frames.");

/* -- Exits ------------------------------------------------------------------------------ */

#define exits_setup	family

static void exits_0(struct schedule_run *run)
{
	fork_to(run, 0, 4);
	put(run, 4, 0, 1, 300);
	leave(run, 0);
}

static void exits_1(struct schedule_run *run)
{
	fork_to(run, 1, 5);
	leave(run, 1);
	fork_to(run, 5, 6);
	leave(run, 5);
}

static void exits_2(struct schedule_run *run)
{
	put(run, 2, 4, 2, 400);
	leave(run, 2);
	fork_to(run, 3, 7);
	leave(run, 3);
}

#define exits_3		frames_and_swap

static void exits_check(struct schedule_run *run)
{
	int again;

	if (!still(run))
		return;
	for (again = 0; again < 2; again++) {
		expect(run, 4, 0, 1, 300);
		expect(run, 4, 1, PAGES - 1, TOKEN + 1);
		expect(run, 6, 0, 4, TOKEN);
		expect(run, 6, 4, 2, 200);
		expect(run, 6, 6, 2, TOKEN + 6);
		expect(run, 7, 0, PAGES, TOKEN);
		frames_and_swap(run);
	}
}

SCENARIO_STRESS(exits, "R03 R09 R17 R20 R29 R38",
		"Each process forks once more and exits, while pages get other frames and go to "
		"swap.");

/* -- Threads of one process --------------------------------------------------------------- */

/*
 *	mm 1	[0][1][2][3]		unmapped in part, mapped and written anew
 *		[4][5][6][7]		split and merged
 *		[8] .. [11]		moved away and back
 *		[12] .. [15]		left alone
 */
static void threads_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 16);
	put(run, 0, 0, 16, TOKEN);
	fork_to(run, 0, 1);
}

static void threads_0(struct schedule_run *run)
{
	unmap(run, 0, 1, 2);
	map(run, 0, 1, 2);
	put(run, 0, 1, 2, 300);
}

static void threads_1(struct schedule_run *run)
{
	protect(run, 0, 5, 2, PROT_READ);
	protect(run, 0, 5, 2, RW);
	put(run, 0, 5, 1, 400);
}

static void threads_2(struct schedule_run *run)
{
	move(run, 0, 8, 4, 40, 0);
	put(run, 0, 41, 1, 500);
	move(run, 0, 40, 4, 8, 0);
}

static void threads_3(struct schedule_run *run)
{
	new_frames(run);
	leave(run, 1);
	swap_out(run);
}

static void threads_check(struct schedule_run *run)
{
	int again;

	if (!still(run))
		return;
	for (again = 0; again < 2; again++) {
		expect(run, 0, 0, 1, TOKEN);
		expect(run, 0, 1, 2, 300);
		expect(run, 0, 3, 2, TOKEN + 3);
		expect(run, 0, 5, 1, 400);
		expect(run, 0, 6, 3, TOKEN + 6);
		expect(run, 0, 9, 1, 500);
		expect(run, 0, 10, 6, TOKEN + 10);
		frames_and_swap(run);
	}
}

SCENARIO_STRESS(threads, "R03 R06 R19 R24 R25",
		"Three threads of one process unmap, map, split, merge and move parts of one "
		"range, while pages get other frames, the child exits, and pages go to swap.");

/* -- Swap ------------------------------------------------------------------------------- */

static void swap_setup(struct schedule_run *run)
{
	family(run);
	swap_out(run);
}

static void swap_0(struct schedule_run *run)
{
	put(run, 0, 0, 2, 300);
	expect(run, 0, 2, 2, TOKEN + 2);
	unmap(run, 0, 3, 2);
	expect(run, 0, 5, 3, TOKEN + 5);
}

static void swap_1(struct schedule_run *run)
{
	expect(run, 1, 0, 2, TOKEN);
	put(run, 1, 5, 2, 400);
	fork_to(run, 1, 4);
	leave(run, 1);
}

static void swap_2(struct schedule_run *run)
{
	expect(run, 2, 4, 2, 200);
	put(run, 2, 0, 1, 500);
	expect(run, 3, 0, 3, TOKEN);
	leave(run, 3);
}

static void swap_3(struct schedule_run *run)
{
	int err = um_swapoff(run->world);

	if (err)
		schedule_finding(run, "um_swapoff: error %d", err);
	swap_out(run);
	new_frames(run);
}

static void swap_check(struct schedule_run *run)
{
	int again;

	if (!still(run))
		return;
	for (again = 0; again < 2; again++) {
		expect(run, 0, 0, 2, 300);
		expect(run, 0, 2, 1, TOKEN + 2);
		expect(run, 0, 5, 3, TOKEN + 5);
		expect(run, 4, 0, 4, TOKEN);
		expect(run, 4, 4, 1, 200);
		expect(run, 4, 5, 2, 400);
		expect(run, 2, 0, 1, 500);
		expect(run, 2, 1, 3, TOKEN + 1);
		expect(run, 2, 4, 2, 200);
		frames_and_swap(run);
	}
}

SCENARIO_STRESS(swap, "R17 R26 R36 R38",
		"Four processes read and write what is in swap, fork and exit, while swap is "
		"emptied and filled again.");

/* -- Large folios ----------------------------------------------------------------------- */

/*
 *	mm 1		[0 .. 7]	one folio
 *	|- mm 2		[0 .. 7]
 *	`- mm 3		[0 .. 7]
 */
static void folio_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, PAGES);
	put_large(run, 0, 0, 3);
	fork_to(run, 0, 1);
	fork_to(run, 0, 2);
}

/* That the folio is in use, or gone, is no mistake. */
static void split_folio_of(struct schedule_run *run, unsigned int i, unsigned int page)
{
	int err = um_split_huge(run->mm[i], P(page));

	if (err && err != -EAGAIN && err != -EBUSY && err != -EFAULT && err != -EINVAL)
		schedule_finding(run, "um_split_huge: error %d", err);
}

static void folio_0(struct schedule_run *run)
{
	unmap(run, 0, 2, 2);
	move(run, 0, 4, 2, 32, 0);
	put(run, 0, 33, 1, 300);
	fork_to(run, 0, 3);
}

static void folio_1(struct schedule_run *run)
{
	move(run, 1, 0, PAGES, 48, 0);
	protect(run, 1, 50, 3, PROT_READ);
	split_folio_of(run, 1, 48);
	put(run, 1, 48, 1, 400);
}

static void folio_2(struct schedule_run *run)
{
	put(run, 2, 6, 1, 500);
	split_folio_of(run, 2, 0);
	leave(run, 2);
}

#define folio_3		frames_and_swap

static void folio_check(struct schedule_run *run)
{
	int again;

	if (!still(run))
		return;
	for (again = 0; again < 2; again++) {
		expect(run, 0, 0, 2, TOKEN);
		expect(run, 0, 32, 1, TOKEN + 4);
		expect(run, 0, 33, 1, 300);
		expect(run, 0, 6, 2, TOKEN + 6);
		expect(run, 3, 0, 2, TOKEN);
		expect(run, 3, 33, 1, 300);
		expect(run, 1, 48, 1, 400);
		expect(run, 1, 49, PAGES - 1, TOKEN + 1);
		frames_and_swap(run);
	}
}

SCENARIO_STRESS(folio, "R03 R05 R06 R10 R17",
		"Three processes unmap, move, protect and split parts of a large folio, while it "
		"gets other frames and goes to swap.");
