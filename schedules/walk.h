/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SCHEDULES_WALK_H
#define SCHEDULES_WALK_H
/*
 * Watching single walks: what did this walk come to, while something else changed the
 * mappings?
 *
 * setup() opens a watch on the folio that is mapped somewhere, threads walk it, and
 * check() holds what a walk has seen against the sets that are right before and after
 * the operation that ran against it:
 *
 *	walk_open(run, 0, run->mm[0], P(0));			setup
 *	walk_full(run, 0);					a thread
 *	walk_expect(run, 0, "1@0 | 1@0 2@0");			check
 *
 * says that the walk saw page 0 (see scenario.h) of mm 1, or that and page 0 of mm 2; and
 * nothing else. "1@0? 2@0" is short for "2@0 | 1@0 2@0". mms go by um_mm_id(), as the
 * pointer to a child is known only when its fork is over.
 */
#include <stdbool.h>
#include "schedule.h"

#define WALK_WATCHES	4

/*
 * Watch the folio at an address, with a reference. Reclaim and migration then find it in
 * use: use walk_open_loosely() where they shall not, or where a reference changes what
 * faults do. That is for folios only that stay mapped somewhere all the time.
 */
void walk_open(struct schedule_run *run, unsigned int watch, struct mm_struct *mm,
	       uint64_t addr);
void walk_open_loosely(struct schedule_run *run, unsigned int watch, struct mm_struct *mm,
		       uint64_t addr);
/* First thing in check(): drops the references. */
void walk_close_all(struct schedule_run *run);

/* The whole walk, waiting for locks, with the page tables looked at: as migration does. */
void walk_full(struct schedule_run *run, unsigned int watch);
/*
 * The walk of those who must not wait (folio_referenced()): lockless where that is possible,
 * else by trylock. If it gave up, walk_expect() has nothing to say.
 */
void walk_try(struct schedule_run *run, unsigned int watch);
/*
 * A watch on whatever is coldest in the LRU, and walk_full(), or without @wait walk_try(), at
 * once, if it is mapped at the address by now: a new page is in the LRU a moment earlier.
 * setup() calls walk_open_nothing() first.
 */
void walk_open_nothing(struct schedule_run *run, unsigned int watch);
void walk_coldest(struct schedule_run *run, unsigned int watch, struct mm_struct *mm,
		  uint64_t addr, bool wait);
/*
 * A migration up to the point where it finds that the folio is in use: all entries become
 * migration entries, and then what they were. No watch is kept of it: if a walk missed
 * one, the entry is left behind; see still() in scenario.h.
 */
void walk_migrate(struct schedule_run *run, unsigned int watch);

/*
 * Takes a reference on the folio's owner, and later looks at all VMAs that are found from
 * there, for walk_expect_mms(): a reference is on this life of the owner, not on the next.
 */
void walk_owner(struct schedule_run *run, unsigned int watch);

/* Did the last walk see one of these sets? If there was no walk, yes. */
void walk_expect(struct schedule_run *run, unsigned int watch, const char *sets);
/* Has it looked at VMAs of these mms only? Bit n stands for the mm of id n. */
void walk_expect_mms(struct schedule_run *run, unsigned int watch, unsigned long mms);
/* Did it come to each place once? Not so where VMAs merge, and for pages of KSM. */
void walk_expect_once(struct schedule_run *run, unsigned int watch);
/* Did it look at this many VMAs at most? */
void walk_expect_visits(struct schedule_run *run, unsigned int watch, unsigned int max);

#endif
