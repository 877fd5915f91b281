/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_RMAP_WALK_H
#define _LINUX_RMAP_WALK_H
/*
 * The iterator over all (VMA, address) that may map a range of anon offsets,
 * whatever the topology, and the bookkeeping that lets the restoring walk of a
 * migration stop early.
 *
 *	anon_vma_walk_begin(&walk, anon_vma, first, last);
 *	while ((vma = anon_vma_walk_next(&walk)))
 *		... vma, walk.address ...
 *	anon_vma_walk_end(&walk, true);
 *
 * The owner is locked for read (or for write) by the caller from before begin
 * to end. A VMA that next() returned is stable - boundaries, numbering, place
 * in the page tables - until the following call. The loop body may sleep.
 */
#include <linux/anon_vma_tree.h>

struct anon_vma_detached;

struct anon_vma_walk {
	struct anon_vma *owner;
	pgoff_t first, last;	/* anon offsets, inclusive */
	bool by_address;	/* look for ->wanted and not for offsets */
	unsigned long wanted;
	bool try_lock;		/* in: never wait for a lock of a descendant */
	bool contended;		/* out: stopped early, a lock was not to be had */
	unsigned long address;	/* out: first page of the range in the VMA returned */

	/* The topology's cursor. */
	int stage;
	bool wait;				/* the next one's lock was not free */
	bool pinned;				/* ->at is pinned, not only locked */
	bool owner_pinned;
	struct anon_vma *at;			/* read-locked */
	struct mm_struct *mm;
	struct anon_vma_chain *avc;
	struct anon_vma_detached *batch;
	unsigned long low, high;		/* addresses wanted of VMAs in place */
	unsigned long next_address;
};

void anon_vma_walk_begin(struct anon_vma_walk *walk, struct anon_vma *owner,
			 pgoff_t first, pgoff_t last);
void anon_vma_walk_begin_address(struct anon_vma_walk *walk, struct anon_vma *owner,
				 unsigned long address);
struct vm_area_struct *anon_vma_walk_next(struct anon_vma_walk *walk);
void anon_vma_walk_end(struct anon_vma_walk *walk, bool unlock);

struct vm_area_struct *chain_walk_next(struct anon_vma_walk *walk);

void rmap_walk_anon(struct folio *folio, struct rmap_walk_control *rwc, bool locked);

/**
 * rmap_walk_visit - hand a VMA to a walk's callbacks
 * @folio: the folio
 * @rwc: the callbacks
 * @vma: what the walk came to
 * @address: of the first page of the folio in it
 *
 * In the lazy topology hugetlb VMAs and others share an anon_vma, and their
 * offsets may overlap. They are told apart here, and by those who loop over VMAs on
 * their own, as those who look at hugetlb folios ask the VMA for its page size before
 * they look at a PTE.
 *
 * Returns false when the walk shall end.
 */
static inline bool rmap_walk_visit(struct folio *folio, struct rmap_walk_control *rwc,
				   struct vm_area_struct *vma, unsigned long address)
{
	if (folio_test_hugetlb(folio) != is_vm_hugetlb_page(vma))
		return true;
	if (rwc->invalid_vma && rwc->invalid_vma(vma, rwc->arg))
		return true;
	count_anon_vma_event(vma->vm_mm, ANON_VMA_VISIT);
	return rwc->rmap_one(folio, vma, address, rwc->arg) &&
		!(rwc->done && rwc->done(folio));
}

/**
 * vma_range_address - where a range of offsets starts in a VMA
 * @vma: its boundaries held still
 * @start: the offset of vma->vm_start
 * @first: the range, inclusive
 * @last: the range, inclusive
 *
 * Returns the lowest address at which @vma holds a page of the range, or
 * -EFAULT when there is none.
 */
static inline unsigned long vma_range_address(struct vm_area_struct *vma, pgoff_t start,
					      pgoff_t first, pgoff_t last)
{
	if (start > last)
		return -EFAULT;
	if (start >= first)
		return vma->vm_start;
	if (first - start >= vma_pages(vma))
		return -EFAULT;
	return vma->vm_start + ((first - start) << PAGE_SHIFT);
}

/*
 * Stopping the restoring walk early
 *
 * remove_migration_ptes() has no mapcount to tell it that it has found all. So
 * try_to_migrate() notes how many pages' worth of entries it installed, and
 * what the copy clock said before the first of them. Once that many pages are
 * restored and the clock has not moved, no entry is left: entries are never
 * made by anything but an installation or a copy, and each copy by fork moves
 * the clock. Entries that were zapped in between are not counted, so their
 * walk simply runs to its end. mremap conserves entries, UFFDIO_MOVE waits for
 * them, and splitting a huge entry conserves pages.
 *
 * The note fits into one 64-bit word, so that it can travel in a field of the
 * new folio that is unused until its mapping is set.
 */
typedef u64 migration_note_t;

/* No entries counted: a walk with this note, or with any that counts none, runs to its end. */
#define MIGRATION_NOTE_UNKNOWN		0ULL
#define MIGRATION_NOTE_COUNT_BITS	24
#define MIGRATION_NOTE_COUNT_MAX	((1ULL << MIGRATION_NOTE_COUNT_BITS) - 1)

extern atomic64_t anon_vma_copy_clock;

/**
 * migration_note_begin - start counting entries
 *
 * Context: before the first entry is installed.
 */
static inline migration_note_t migration_note_begin(void)
{
	return (u64)atomic64_read(&anon_vma_copy_clock) << MIGRATION_NOTE_COUNT_BITS;
}

/**
 * migration_note_installed - count entries
 * @note: the note so far
 * @pages: pages that the new entries stand for
 *
 * Saturates; a saturated note never ends a walk.
 */
static inline migration_note_t migration_note_installed(migration_note_t note,
							unsigned long pages)
{
	u64 count = note & MIGRATION_NOTE_COUNT_MAX;

	if (pages > MIGRATION_NOTE_COUNT_MAX - count)
		return note | MIGRATION_NOTE_COUNT_MAX;
	return note + pages;
}

/**
 * migration_entry_copied - fork has copied a migration entry
 *
 * Context: the lock of the page table that holds the source entry is held. The
 * restoring walk takes the same lock for that entry, before or after: before,
 * and there is nothing left to copy; after, and it sees the clock moved. The
 * lock is the barrier. Moved after that unlock, a restoring walk could count the
 * source entry, find the clock still, stop, and leave the copy behind.
 *
 * The clock is one for all: pages that KSM merged span fork trees.
 */
static inline void migration_entry_copied(void)
{
	atomic64_inc(&anon_vma_copy_clock);
}

/**
 * migration_note_complete - may the restoring walk stop?
 * @note: from the installing walk
 * @restored: pages restored so far
 *
 * Context: after the lock of the page table of the last entry was taken.
 */
static inline bool migration_note_complete(migration_note_t note, unsigned long restored)
{
	u64 count = note & MIGRATION_NOTE_COUNT_MAX;

	/* Where words are 32 bits the note has no place to travel in. */
	if (BITS_PER_LONG < 64 || !count || count == MIGRATION_NOTE_COUNT_MAX)
		return false;
	return restored >= count &&
		((note ^ migration_note_begin()) >> MIGRATION_NOTE_COUNT_BITS) == 0;
}

#endif
