// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim: has a page been used, and if not, where is it mapped?
 *
 * A folio from the cold end of the LRU is locked; if an entry that maps it is young,
 * it is put back at the hot end, with all entries old now: its second chance. Else
 * it gets a slot of swap, its entries become swap entries, its content goes to the
 * slot, and its frame is free.
 */
#include "pgtable.h"
#include "rmap_pages.h"
#include "swap.h"

#define RECLAIM_BATCH	32

/**
 * rmap_walk - visit every VMA that may map a folio
 * @folio: locked, unless rwc->anon_lock revalidates it, and it is not KSM
 * @rwc: what to do
 * @locked: the owner's rwsem is held by the caller
 *
 * Pages of files are not found.
 *
 * Context: may sleep, unless rwc->try_lock.
 */
void rmap_walk(struct folio *folio, struct rmap_walk_control *rwc, bool locked)
{
	if (folio_test_ksm(folio))
		ksm_walk(folio, rwc);
	else if (folio_test_anon(folio))
		rmap_walk_anon(folio, rwc, locked);
}

/* -- Has it been used? ------------------------------------------------------------- */

struct referenced_arg {
	int mapped;		/* entries that have not been found yet */
	int referenced;		/* young ones */
	struct folio *folio;
};

/* Young bits that were found are cleared by now: they stay counted. */
static void referenced_restart(void *data)
{
	struct referenced_arg *arg = data;

	arg->mapped = folio_mapcount(arg->folio);
}

static bool referenced_one(struct folio *folio, struct vm_area_struct *vma, unsigned long addr,
			   void *data)
{
	struct page_vma_mapped_walk pvmw = { .folio = folio, .vma = vma, .address = addr };
	struct referenced_arg *arg = data;

	while (page_vma_mapped_walk(&pvmw)) {
		/* mlock() counts as use: reclaim would fail later anyway. */
		if (READ_ONCE(vma->vm_flags) & VM_LOCKED) {
			page_vma_mapped_walk_done(&pvmw);
			arg->referenced++;
			return false;
		}
		if (pvmw.pte & PTE_YOUNG) {
			pgtable_set(pvmw.table, pvmw.index, pvmw.pte & ~(pte_t)PTE_YOUNG);
			arg->referenced++;
		}
		arg->mapped--;
	}
	return arg->mapped > 0;
}

/**
 * folio_referenced - ask all entries that map a folio whether it was used
 * @folio: the caller has a reference
 * @locked: and has it locked; needed for KSM folios, and tried for here
 * @contended: set when the walk is not complete, as a lock was not to be had
 *
 * Clears the young bits. Does not wait for rwsems; needs none at all where the
 * topology has lockless walks.
 *
 * Returns the number of entries that were young; 1 for a KSM folio that could not be
 * locked.
 */
int folio_referenced(struct folio *folio, bool locked, bool *contended)
{
	struct referenced_arg arg = { .mapped = folio_mapcount(folio), .folio = folio };
	struct rmap_walk_control rwc = {
		.arg = &arg,
		.try_lock = true,
		.rmap_one = referenced_one,
		.anon_lock = folio_lock_anon_vma_read,
		.restart = referenced_restart,
	};
	bool unlock = false;

	if (arg.mapped <= 0)
		return 0;
	if (!locked && folio_test_ksm(folio)) {
		if (!folio_trylock(folio))
			return 1;
		unlock = true;
	}
	rmap_walk(folio, &rwc, false);
	if (unlock)
		folio_unlock(folio);
	if (rwc.contended)
		*contended = true;
	return arg.referenced;
}

/* -- Unmap ------------------------------------------------------------------------- */

/*
 * What an entry becomes that maps @page; -1 if it has to stay. A folio that was given
 * up by MADV_FREE just goes, unless somebody has written to it since.
 */
static pte_t unmapped_pte(struct um_world *world, struct folio *folio, struct page *page,
			  pte_t pte, enum ttu_flags flags)
{
	pte_t bits = PTE_SWAP;
	unsigned long slot;

	if ((flags & TTU_HWPOISON) && test_bit(PG_hwpoison, &page->flags) &&
	    !folio_test_swapcache(folio))
		return mk_pte(pte_pfn(pte), PTE_POISON);
	if (!folio_test_swapcache(folio)) {
		if (test_bit(PG_swapbacked, &folio->flags))
			return -1;
		if ((pte & PTE_DIRTY) || test_bit(PG_dirty, &folio->flags)) {
			set_bit(PG_dirty, &folio->flags);
			set_bit(PG_swapbacked, &folio->flags);
			return -1;
		}
		return 0;
	}
	if (page_anon_exclusive(page))
		bits |= PTE_EXCLUSIVE;
	slot = folio_swap_slot(folio) + (page - &folio->page);
	if (swap_slot_ksm(world, slot, folio_test_ksm(folio)))
		bits |= PTE_KSM;
	return mk_pte(slot, bits);
}

/* pvmw stands on a PTE; its table is locked. Returns false if the entry has to stay. */
static bool unmap_pte(struct page_vma_mapped_walk *pvmw, enum ttu_flags flags)
{
	struct mm_struct *mm = pvmw->vma->vm_mm;
	struct page *page = pte_page(mm, pvmw->pte);
	struct folio *folio = pvmw->folio;
	pte_t pte = unmapped_pte(mm->world, folio, page, pvmw->pte, flags);

	if (pte == (pte_t)-1)
		return false;
	if (pte_is_swap(pte)) {
		swap_dup(mm->world, pte_pfn(pte));
		atomic_long_inc(&mm->nr_swap);
	}
	pgtable_set(pvmw->table, pvmw->index, pte);
	atomic_long_dec(&mm->nr_anon);
	folio_remove_rmap(folio, page, 1, false);
	oracle_touch(mm->world, folio);
	folio_put(mm->world, folio);
	return true;
}

static bool unmap_one(struct folio *folio, struct vm_area_struct *vma, unsigned long addr,
		      void *arg)
{
	struct page_vma_mapped_walk pvmw = { .folio = folio, .vma = vma, .address = addr };
	enum ttu_flags flags = *(enum ttu_flags *)arg;
	bool keep;

	while (page_vma_mapped_walk(&pvmw)) {
		keep = (READ_ONCE(vma->vm_flags) & VM_LOCKED) && !(flags & TTU_HWPOISON);
		if (!keep && pvmw.huge) {
			/* The walk finds its pages next. */
			pvmw.next = pvmw.address;
			page_vma_mapped_walk_done(&pvmw);
			split_huge_pmd(vma, pvmw.address);
			pvmw.end = pvmw.address + PMD_SIZE;
			continue;
		}
		if (keep || !unmap_pte(&pvmw, flags)) {
			page_vma_mapped_walk_done(&pvmw);
			return false;
		}
	}
	return true;
}

/**
 * try_to_unmap - take a folio out of all page tables
 * @folio: locked, with a reference of the caller's; in the swap cache, or given up
 *	by MADV_FREE, or poisoned
 * @flags: TTU_HWPOISON: poison entries instead of swap entries; TTU_RMAP_LOCKED: the
 *	owner's rwsem is held
 *
 * Huge entries are split, as there are no huge swap entries. mlock()ed pages stay.
 *
 * Context: may sleep. The caller asks folio_mapped() how it went.
 */
void try_to_unmap(struct folio *folio, enum ttu_flags flags)
{
	struct rmap_walk_control rwc = {
		.arg = &flags,
		.rmap_one = unmap_one,
		.done = folio_not_mapped,
		.anon_lock = folio_lock_anon_vma_read,
	};

	rmap_walk(folio, &rwc, flags & TTU_RMAP_LOCKED);
}

/* -- Reclaim ------------------------------------------------------------- */

/* Room in swap for a folio; a large one that finds none in one piece is split. */
static bool reclaim_swap_space(struct um_world *world, struct folio *folio)
{
	if (folio_test_swapcache(folio) || !test_bit(PG_swapbacked, &folio->flags))
		return true;
	if (!add_to_swap(world, folio))
		return true;
	return folio_test_large(folio) && !split_folio(world, folio) &&
		!add_to_swap(world, folio);
}

/* Locked; unmapped. If nobody else has a reference, all that is left of it is ours. */
static bool reclaim_unmapped(struct um_world *world, struct folio *folio)
{
	if (folio_test_swapcache(folio)) {
		if (!swap_write_out(world, folio))
			return false;
		atomic_long_add(folio_nr_pages(folio), &world->swapped_out);
		return true;
	}
	return folio_ref_count(folio) == 1;
}

/* Locked and isolated. Returns true if only the caller's reference is left. */
static bool reclaim_locked(struct um_world *world, struct folio *folio)
{
	bool contended = false;

	if (test_bit(PG_hwpoison, &folio->flags))
		return false;
	if (folio_mapped(folio)) {
		if (folio_referenced(folio, true, &contended) || contended)
			return false;
		if (!reclaim_swap_space(world, folio))
			return false;
		try_to_unmap(folio, TTU_SPLIT_HUGE_PMD);
	}
	if (!folio_mapped(folio))
		return reclaim_unmapped(world, folio);
	folio_free_swap(world, folio);
	return false;
}

/**
 * reclaim_folio - free a folio if it is not in use
 * @world: the world
 * @folio: isolated; the isolation is undone, or the folio freed
 *
 * Context: may sleep; no folio lock, anon_vma rwsem or PTE lock held. Returns pages
 * freed.
 */
long reclaim_folio(struct um_world *world, struct folio *folio)
{
	long freed = 0;
	bool done;

	if (!folio_trylock(folio)) {
		lru_putback(world, folio);
		return 0;
	}
	done = reclaim_locked(world, folio);
	/* After that, as it may have been split. */
	if (done)
		freed = folio_nr_pages(folio);
	folio_unlock(folio);
	if (done) {
		clear_bit(PG_isolated, &folio->flags);
		folio_put(world, folio);
	} else {
		lru_putback(world, folio);
	}
	return freed;
}

/**
 * reclaim_pages - free some pages
 * @world: the world
 * @pages: how many
 *
 * Goes over the LRU twice at most: the first time, all may have been used.
 *
 * Context: as reclaim_folio(). Returns pages freed.
 */
long reclaim_pages(struct um_world *world, long pages)
{
	struct folio *folio, *next;
	long freed = 0, left, taken;
	u64 used, peak;

	frames_usage(world, &used, &peak);
	for (left = 2 * used + RECLAIM_BATCH; left > 0 && freed < pages; left -= taken) {
		LIST_HEAD(list);

		taken = lru_isolate_batch(world, RECLAIM_BATCH, &list);
		if (!taken)
			break;
		list_for_each_entry_safe(folio, next, &list, lru) {
			list_del_init(&folio->lru);
			freed += reclaim_folio(world, folio);
		}
	}
	return freed;
}
