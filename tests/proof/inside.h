/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSIDE_H
#define INSIDE_H
/*
 * What the tests of the rows need besides um_test.h: a look at VMAs, folios and
 * owners, walks that are counted, walks that stand still in their callback while
 * something else goes on, and page tables that are held.
 */
#include <pthread.h>
#include <unistd.h>
#include "lib/inner.h"

#define FAR		(BASE + (1UL << 30))
#define HUGE_AT		(UM_HUGE_SIZE * 1024)
#define HUGE_PAGES	(UM_HUGE_SIZE / PG)

/* Both topologies, checked at the end only: for threads and large worlds. */
#define ROW_ON(fn, topo)	{ #fn "[" topo "]", fn, t_setup_quiet, row_teardown, (void *)topo }
#define ROW(fn)			ROW_ON(fn, "regular"), ROW_ON(fn, "lazy")
/* t_teardown(); after a failure, threads that the test has left standing may go on first. */
int row_teardown(void **state);

struct anon_vma *owner_at(struct mm_struct *mm, uint64_t addr);	/* of the VMA there */
/* Entries of one kind in all of the world, which is still. */
unsigned long count_entries(struct t *t, bool (*is)(pte_t pte));
/* References of the test's: meanwhile counts of references are not as they should be. */
void folio_hold(struct folio *folio);
void folio_drop(struct t *t, struct folio *folio);

/* -- Walks that count ---------------------------------------------------------------- */

struct counted {
	unsigned long visits;		/* VMAs handed to the callback */
	unsigned long found;		/* mappings */
};

/* To the end, or until mapcount mappings are found, as reclaim does. */
struct counted walk_all(struct folio *folio);
struct counted walk_until_found(struct folio *folio);
/* Visits of all walks of the world since it began. */
unsigned long visits(struct t *t);
void migrate_one(struct t *t, struct mm_struct *mm, uint64_t addr);
void reference_one(struct mm_struct *mm, uint64_t addr);
unsigned long swap_out_one(struct t *t, struct mm_struct *mm, uint64_t addr);

/*
 * -- Something else that goes on meanwhile ---------------------------------------------
 *
 * All of these are static variables of the test: if it fails, its stack is gone, and the
 * threads are not.
 */

struct beside {
	pthread_t thread;
	void (*fn)(void *arg);
	void *arg;
	bool done;			/* the following kind: by acquire and release */
};

void beside_start(struct beside *beside, void (*fn)(void *arg), void *arg);
void beside_join(struct beside *beside);
/* Until somebody queues for the rwsem (true), or it is done (false). */
bool beside_waits(struct beside *beside, struct rw_semaphore *sem);
/* A thread waits for this flag: set it if the test fails. */
void beside_stands(bool *go_on);
/* Until the condition holds; fails the test after half a minute. */
#define await(cond) do {								\
	unsigned long n_;								\
	for (n_ = 0; !(cond); n_++) {							\
		assert_true(n_ < 200000);						\
		usleep(100);								\
	}										\
} while (0)

/*
 * A walk, in a thread of its own, that stands still in its callback at the first VMA
 * that it comes to. The folio and what it names stay pinned meanwhile.
 */
struct standing {
	struct beside beside;
	struct folio *folio;
	struct anon_vma *owner;
	bool inside, go_on;
	/* What the walk saw; after standing_end(). */
	struct counted counted;		/* found: in pages, however large the entries are */
	bool vma_changed;		/* the VMA changed its range while it stood there */
	bool tables_gone;		/* page tables of the page went meanwhile */
	bool entry_at_end;		/* the page was still mapped there at the end */
};

void standing_begin(struct standing *standing, struct folio *folio);
void standing_end(struct standing *standing, struct t *t);

/* The lock of the page table of addr, held by a thread of its own. */
struct held {
	struct beside beside;
	struct um_pgtable *table;
	bool locked, let_go;
};

void held_begin(struct held *held, struct mm_struct *mm, uint64_t addr);
void held_end(struct held *held);

#endif
