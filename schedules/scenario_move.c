// SPDX-License-Identifier: GPL-2.0
/*
 * Walks against mremap: a page is found at the old or at the new address, never at neither
 */
#include <stddef.h>
#include "scenario.h"

/* -- To a free place ------------------------------------------------------------------- */

/*
 *	[0] ........		in place
 *	........ [16]		displaced: the first one of its mm
 */
static void move_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 1);
	put(run, 0, 0, 1, TOKEN);
	walk_open(run, 0, run->mm[0], P(0));
}

static void move_thread(struct schedule_run *run)
{
	move(run, 0, 0, 1, 16, 0);
}

static void move_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 | 1@16");
	walk_expect_visits(run, 0, 2);
	expect(run, 0, 16, 1, TOKEN);
}

SCENARIOS_AGAINST_WALKS(move, 4, "R06 R28", "A page moves to a free place.");

/* -- Away and back --------------------------------------------------------------------- */

/*
 *	[0] ........		in place
 *	........ [16]		displaced
 *	[0] ........		in place again
 */
static void move_back(struct schedule_run *run)
{
	move(run, 0, 0, 1, 16, 0);
	move(run, 0, 16, 1, 0, 0);
}

static void ping_pong_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 | 1@16");
	expect(run, 0, 0, 1, TOKEN);
}

#define ping_pong_setup		move_setup
#define ping_pong_thread	move_back

SCENARIOS_AGAINST_WALKS(ping_pong, 3, "R06 R41", "A page moves away and back during one walk.");

/* -- A displaced source ---------------------------------------------------------------- */

/*
 *	[0] .... [8] ....		page 0 is moved to 16, and page 8 to 0: both are displaced
 *	[8'] ........ [0']
 *	[8'] ............. [0']		page 0 is moved on; a walk for it does not look at 0
 */
static void move_displaced_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 1);
	put(run, 0, 0, 1, TOKEN);
	move(run, 0, 0, 1, 16, 0);
	map(run, 0, 8, 1);
	put(run, 0, 8, 1, TOKEN + 8);
	move(run, 0, 8, 1, 0, 0);
	walk_open(run, 0, run->mm[0], P(16));
}

static void move_displaced_thread(struct schedule_run *run)
{
	move(run, 0, 16, 1, 32, 0);
}

static void move_displaced_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@16 | 1@32");
	walk_expect_visits(run, 0, 2);
	expect(run, 0, 32, 1, TOKEN);
}

SCENARIOS_AGAINST_LOCKED_WALKS(move_displaced, 4, "R06", "A page that has been moved moves on.");

/* -- Over a neighbour ------------------------------------------------------------------ */

/*
 *	[0][1]			two VMAs, by their protection
 *	   [0]			page 0 takes the place of page 1
 *
 * Offsets: the page at 1 is the one of offset 0 now. A walk for offset 1 must not take it
 * for the page that was there.
 */
static void move_over_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 2);
	put(run, 0, 0, 2, TOKEN);
	protect(run, 0, 1, 1, PROT_READ);
	walk_open(run, 0, run->mm[0], P(0));
	walk_open(run, 1, run->mm[0], P(1));
}

static void move_over_thread(struct schedule_run *run)
{
	move(run, 0, 0, 1, 1, 0);
}

static void move_over_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 | 1@1");
	walk_expect(run, 1, "1@1 |");
	expect(run, 0, 1, 1, TOKEN);
}

SCENARIOS_AGAINST_WALKS(move_over, 3, "R04 R06", "A page moves over its neighbour.");

static void walk_neighbour(struct schedule_run *run)
{
	walk_full(run, 1);
}

SCENARIO_AGAINST(walk_neighbour, move_over, 4, "R04 R06", "regular,lazy", walk_neighbour,
		 "The neighbour's page is walked while another one takes its place.");

/* -- DONTUNMAP ------------------------------------------------------------------------- */

/*
 *	[0] ........
 *	[-] .... [16]		the old place stays mapped, and is written to
 */
static void dontunmap_thread(struct schedule_run *run)
{
	move(run, 0, 0, 1, 16, MREMAP_DONTUNMAP);
	put(run, 0, 0, 1, 1);
}

static void dontunmap_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 | 1@16");
	walk_expect_visits(run, 0, 2);
	expect(run, 0, 16, 1, TOKEN);
	expect(run, 0, 0, 1, 1);
}

#define dontunmap_setup	move_setup

SCENARIOS_AGAINST_WALKS(dontunmap, 4, "R06 R21",
			"A page moves, and a new one comes to life at its old place.");

/* -- A part ---------------------------------------------------------------------------- */

/*
 *	[0 1 2 3] ........	one folio
 *	[0]   [2 3] .. [16]	its page 1 moved
 */
static void move_part_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 4);
	put_large(run, 0, 0, 2);
	walk_open(run, 0, run->mm[0], P(0));
}

static void move_part_thread(struct schedule_run *run)
{
	move(run, 0, 1, 1, 16, 0);
}

static void move_part_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 1@1 1@2 1@3 | 1@0 1@2 1@3 1@16");
	expect(run, 0, 0, 1, TOKEN);
	expect(run, 0, 16, 1, TOKEN + 1);
	expect(run, 0, 2, 2, TOKEN + 2);
}

SCENARIOS_AGAINST_WALKS(move_part, 3, "R05 R06", "One page in the middle of a folio moves.");

/* -- Large folios ---------------------------------------------------------------------- */

/*
 *	[0 1 2 3] ........
 *	........ [16 17 18 19]	one folio: its pages move under one hold
 */
#define move_large_setup	move_part_setup

static void move_large_thread(struct schedule_run *run)
{
	move(run, 0, 0, 4, 16, 0);
}

static void move_large_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 1@1 1@2 1@3 | 1@16 1@17 1@18 1@19");
	walk_expect_visits(run, 0, 2);
	expect(run, 0, 16, 4, TOKEN);
}

SCENARIOS_AGAINST_WALKS(move_large, 3, "R05 R06", "A folio of four pages moves as a whole.");

/*
 *	[0   ...  511] ............
 *	.............. [512 ... 1023]	a huge entry: moved without being split
 */
static void move_huge_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 512);
	if (um_touch_huge(run->mm[0], P(0)))
		schedule_finding(run, "no huge page");
	put(run, 0, 0, 1, TOKEN);
	walk_open(run, 0, run->mm[0], P(0));
}

static void move_huge_thread(struct schedule_run *run)
{
	move(run, 0, 0, 512, 512, 0);
}

static void move_huge_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 | 1@512");
	walk_expect_visits(run, 0, 2);
	expect(run, 0, 512, 1, TOKEN);
}

SCENARIOS_AGAINST_WALKS(move_huge, 4, "R05 R06 R10", "A huge page moves.");

/* -- Files ----------------------------------------------------------------------------- */

/*
 *	[0] ........		private file mapping, page 5 of the file, written: numbered
 *	........ [16]		by address, and by its chain entry when it is displaced
 */
static void move_file_setup(struct schedule_run *run)
{
	run->file[0] = um_file_create(run->world, UM_FILE_REGULAR);
	start(run, 0);
	map_file(run, 0, 0, 1, run->file[0], 5);
	put(run, 0, 0, 1, TOKEN);
	walk_open(run, 0, run->mm[0], P(0));
}

#define move_file_thread	move_thread
#define move_file_check		move_check

SCENARIOS_AGAINST_WALKS(move_file, 4, "R06 R08",
			"A page of a private file mapping that was written to moves.");

/*
 *	[0] ........ [16]	pages 5 and 6 of a file, each numbered by where it was written to
 *	[0][1]			next to each other in the file, too, but not by their numbers
 */
static void move_file_apart_setup(struct schedule_run *run)
{
	run->file[0] = um_file_create(run->world, UM_FILE_REGULAR);
	start(run, 0);
	map_file(run, 0, 0, 1, run->file[0], 5);
	map_file(run, 0, 16, 1, run->file[0], 6);
	put(run, 0, 0, 1, TOKEN);
	put(run, 0, 16, 1, TOKEN + 16);
	walk_open(run, 0, run->mm[0], P(16));
}

static void move_file_apart_thread(struct schedule_run *run)
{
	move(run, 0, 16, 1, 1, 0);
}

static void move_file_apart_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@16 | 1@1");
	walk_expect_visits(run, 0, 2);
	expect(run, 0, 0, 1, TOKEN);
	expect(run, 0, 1, 1, TOKEN + 16);
}

SCENARIOS_AGAINST_WALKS(move_file_apart, 4, "R08 R41",
			"A page of a file moves next to another one, and does not merge.");

/* -- In place -------------------------------------------------------------------------- */

/*
 *	[0]			grows, gets a second page, and shrinks again
 *	[0 1]
 *	[0]
 */
static void grow_thread(struct schedule_run *run)
{
	resize(run, 0, 0, 1, 2);
	put(run, 0, 1, 1, 1);
	resize(run, 0, 0, 2, 1);
}

static void grow_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0");
	expect(run, 0, 0, 1, TOKEN);
}

#define grow_setup	move_setup

SCENARIOS_AGAINST_WALKS(grow, 4, "R06 R24", "A VMA grows in place, and shrinks.");

/*
 *	[16]			the same, displaced: its chain entry changes its key
 *	[16 17]
 *	[16]
 */
static void grow_displaced_thread(struct schedule_run *run)
{
	resize(run, 0, 16, 1, 2);
	put(run, 0, 17, 1, 1);
	resize(run, 0, 16, 2, 1);
}

static void grow_displaced_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@16");
	expect(run, 0, 16, 1, TOKEN);
}

#define grow_displaced_setup	move_displaced_setup

SCENARIOS_AGAINST_LOCKED_WALKS(grow_displaced, 3, "R06 R24",
			       "A displaced VMA grows in place, and shrinks.");

/* -- With a child ---------------------------------------------------------------------- */

/*
 *	mm 1	[0] ....		mm 1	.... [16]
 *	`- mm 2	[0] ....		`- mm 2	[0] ....
 */
static void move_parent_setup(struct schedule_run *run)
{
	move_setup(run);
	fork_to(run, 0, 1);
}

#define move_parent_thread	move_thread

static void move_parent_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 2@0 | 1@16 2@0");
	expect(run, 0, 16, 1, TOKEN);
	expect(run, 1, 0, 1, TOKEN);
}

SCENARIOS_AGAINST_LOCKED_WALKS(move_parent, 4, "R06",
			       "A process moves a page that its child has too.");

/*
 *	mm 1	[0] ....		mm 1	[0] ....
 *	`- mm 2	[0] ....		`- mm 2	.... [16]
 */
#define move_child_setup	move_parent_setup

static void move_child_thread(struct schedule_run *run)
{
	move(run, 1, 0, 1, 16, 0);
}

static void move_child_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@0 2@0 | 1@0 2@16");
	expect(run, 0, 0, 1, TOKEN);
	expect(run, 1, 16, 1, TOKEN);
}

SCENARIOS_AGAINST_LOCKED_WALKS(move_child, 4, "R06", "A child moves a page that its parent owns.");

/* -- Next to a neighbour --------------------------------------------------------------- */

/*
 *	[0-][ ].... [16]	page 1 was moved away; page 0 is a new mapping, unfaulted
 *	[0-  1]			it comes back, and they merge: page 0's VMA takes over the
 *				rmap state of the other
 */
static void move_merge_setup(struct schedule_run *run)
{
	start(run, 0);
	map(run, 0, 0, 2);
	put(run, 0, 1, 1, TOKEN + 1);
	move(run, 0, 1, 1, 16, 0);
	unmap(run, 0, 0, 1);
	map(run, 0, 0, 1);
	walk_open(run, 0, run->mm[0], P(16));
}

static void move_merge_thread(struct schedule_run *run)
{
	move(run, 0, 16, 1, 1, 0);
}

static void move_merge_check(struct schedule_run *run)
{
	if (!still(run))
		return;
	walk_expect(run, 0, "1@16 | 1@1");
	/* The regular topology does not merge into an unfaulted VMA. */
	if (run->lazy && um_vmas(run->mm[0], NULL, 0) != 1)
		schedule_finding(run, "the VMAs did not merge");
	expect(run, 0, 1, 1, TOKEN + 1);
	put(run, 0, 0, 1, 1);
}

SCENARIOS_AGAINST_WALKS(move_merge, 4, "R21 R41",
			"A page that was moved away comes back, next to an unfaulted VMA.");
