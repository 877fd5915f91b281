/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SCHEDULES_SCENARIO_H
#define SCHEDULES_SCENARIO_H
/*
 * What schedule scenarios do all the time. Whatever should not fail and does is a finding.
 *
 * A scenario is small, as all its schedules are tried: one page or a few, all of them in
 * one page table. Pages are counted from BASE on.
 */
#include <sys/mman.h>
#include "walk.h"

#define BASE	0x10000000UL
#define PG	UM_PAGE_SIZE
#define P(n)	(BASE + (uint64_t)(n) * PG)
#define RW	(PROT_READ | PROT_WRITE)
#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)
#define TOKEN	100		/* page n of what setup() writes holds TOKEN + n */

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif

/* run->mm[i] becomes a new process, or a child of run->mm[of]. */
void start(struct schedule_run *run, unsigned int i);
void fork_to(struct schedule_run *run, unsigned int of, unsigned int i);
/*
 * run->mm[i] is not compared with a model from now on: threads are about to change one range
 * of it at the same time, and only check() can say what may come out.
 */
void without_model(struct schedule_run *run, unsigned int i);
/* The process run->mm[i] ends. */
void leave(struct schedule_run *run, unsigned int i);

void map(struct schedule_run *run, unsigned int i, unsigned int page, unsigned int pages);
void map_file(struct schedule_run *run, unsigned int i, unsigned int page, unsigned int pages,
	      struct um_file *file, unsigned int pgoff);
void unmap(struct schedule_run *run, unsigned int i, unsigned int page, unsigned int pages);
void move(struct schedule_run *run, unsigned int i, unsigned int page, unsigned int pages,
	  unsigned int to, int flags);
/* mremap() without a new address. */
void resize(struct schedule_run *run, unsigned int i, unsigned int page, unsigned int pages,
	    unsigned int new_pages);
void protect(struct schedule_run *run, unsigned int i, unsigned int page, unsigned int pages,
	     int prot);
void put(struct schedule_run *run, unsigned int i, unsigned int page, unsigned int pages,
	 uint64_t token);
void expect(struct schedule_run *run, unsigned int i, unsigned int page, unsigned int pages,
	    uint64_t token);
/* One folio of 2^order pages at a place; its pages hold TOKEN and so on. */
void put_large(struct schedule_run *run, unsigned int i, unsigned int page, unsigned int order);

/*
 * First in check(): closes the watches. Returns false, with a finding, when a migration entry
 * is left: who reads there would wait for ever.
 */
bool still(struct schedule_run *run);

/*
 * The three walks that most operations are run against, each of watch 0: one that waits, one
 * that does not, and the two of a migration. An operation OP has OP_setup(), OP_thread() and
 * OP_check(); its scenarios are walk_vs_OP, lockless_vs_OP and migrate_vs_OP. All schedules are
 * tried with up to BOUND preemptions: 3 where these are some thousands at most, else 2 or 1.
 *
 * Where the owner has children, several mms or displaced VMAs, no walk goes without its lock:
 * then it is try_vs_OP in place of lockless_vs_OP, which fails if no schedule gets there.
 */
void thread_walk_full(struct schedule_run *run);
void thread_walk_try(struct schedule_run *run);
void thread_walk_migrate(struct schedule_run *run);

#define SCENARIO_OF_WALK(prefix, op, bound_, rows_, topologies_, walker, lockless_, story_)	\
const struct schedule_scenario prefix##_vs_##op = {				\
	.name = #prefix "_vs_" #op,						\
	.rows = rows_,								\
	.topologies = topologies_,						\
	.story = story_,							\
	.nr_threads = 2,							\
	.bound = bound_,							\
	.lockless = lockless_,							\
	.setup = op##_setup,							\
	.thread = { op##_thread, walker },					\
	.check = op##_check,							\
}

#define SCENARIO_AGAINST(prefix, op, bound, rows, topologies, walker, story)		\
	SCENARIO_OF_WALK(prefix, op, bound, rows, topologies, walker, false, story)

/* Walks of the regular topology never go without its lock. */
#define SCENARIO_LOCKLESS(op, bound, rows, walker, story)				\
	SCENARIO_OF_WALK(lockless, op, bound, rows, "lazy", walker, true, story)

#define SCENARIOS_AGAINST_WALKS(op, bound, rows, story)				\
	SCENARIO_AGAINST(walk, op, bound, rows, "regular,lazy", thread_walk_full, story);	\
	SCENARIO_LOCKLESS(op, bound, rows, thread_walk_try, story);			\
	SCENARIO_AGAINST(migrate, op, bound, rows, "regular,lazy", thread_walk_migrate, story)

#define SCENARIOS_AGAINST_LOCKED_WALKS(op, bound, rows, story)				\
	SCENARIO_AGAINST(walk, op, bound, rows, "regular,lazy", thread_walk_full, story);	\
	SCENARIO_AGAINST(try, op, bound, rows, "lazy", thread_walk_try, story);		\
	SCENARIO_AGAINST(migrate, op, bound, rows, "regular,lazy", thread_walk_migrate, story)

#endif
