// SPDX-License-Identifier: GPL-2.0
/*
 * Ranges of page tables: zap, move, protect, split
 *
 * All of these go table by table, with one hold of its lock each. Upper levels are
 * read without locks, see pgtable.c. Copying for fork is in copy.c.
 */
#include "pgtable.h"
#include "swap.h"

/* -- Splitting a huge entry ------------------------------------------------------------ */

/*
 * The folio's side of a split: one mapping of the whole becomes 512 of its pages.
 * The sum goes up before the one goes away, so that nobody sees it unmapped.
 */
static void split_mapped_folio(struct folio *folio, bool exclusive)
{
	long i;

	atomic_add(HPAGE_PMD_NR - 1, &folio->_refcount);
	atomic_long_add(HPAGE_PMD_NR - 1, folio_large_mapcount_ptr(folio));
	for (i = 0; i < HPAGE_PMD_NR; i++) {
		struct page *page = folio_page(folio, i);

		atomic_inc(&page->_mapcount);
		if (exclusive)
			set_bit(PG_anon_exclusive, &page->flags);
	}
	atomic_dec(folio_entire_mapcount_ptr(folio));
}

/**
 * split_huge_pmd - map the pages of a huge entry one by one
 * @vma: kept by mmap_lock, its lock, or its anon_vma's rwsem
 * @addr: in the part that the entry maps
 *
 * Does nothing when there is no huge entry (any more). A migration entry becomes
 * 512 of them, for the same pages: the count in the migration's note stays right.
 *
 * Correct because: the new table is filled in before it replaces the entry, in one
 * store under the PMD lock; who looks before finds the huge entry, who looks after
 * the 512. Nothing can fail: the table was set aside when the entry was made.
 *
 * Context: any; no page table lock held. Returns 0.
 */
int split_huge_pmd(struct vm_area_struct *vma, unsigned long addr)
{
	struct mm_struct *mm = vma->vm_mm;
	struct um_pgtable *pmds = pgtable_find(mm, addr, 1), *table;
	unsigned int index = pgtable_index(addr, 1);
	struct folio *folio;
	pte_t pmd;
	int i;

	if (!pmds)
		return 0;
	spin_lock(&pmds->ptl);
	pmd = pgtable_get(pmds, index);
	if (!pte_is_huge(pmd)) {
		spin_unlock(&pmds->ptl);
		return 0;
	}
	table = pgtable_withdraw(pmds);
	if (pte_present(pmd)) {
		folio = (struct folio *)pte_page(mm, pmd);
		split_mapped_folio(folio, page_anon_exclusive(&folio->page));
		oracle_touch(mm->world, folio);
	}
	for (i = 0; i < HPAGE_PMD_NR; i++)
		WRITE_ONCE(table->e[i], pte_advance(pmd & ~(pte_t)PTE_HUGE, i));
	table->used = HPAGE_PMD_NR;
	pgtable_set(pmds, index, mk_table(table));
	spin_unlock(&pmds->ptl);
	return 0;
}

int split_huge_pmd_at(struct vm_area_struct *vma, unsigned long addr)
{
	return addr & ~PMD_MASK ? split_huge_pmd(vma, addr) : 0;
}

/* -- Zap --------------------------------------------------------------------------- */

/* What a range took from an mm's counters; given back once per table. */
struct zap_counts {
	long anon, swap;
};

static void zap_counts_sub(struct mm_struct *mm, const struct zap_counts *counts)
{
	if (counts->anon)
		atomic_long_sub(counts->anon, &mm->nr_anon);
	if (counts->swap)
		atomic_long_sub(counts->swap, &mm->nr_swap);
}

static void zap_present(struct mm_struct *mm, pte_t pte, struct zap_counts *counts)
{
	struct page *page = pte_page(mm, pte);
	struct folio *folio = page_folio(page);

	if (folio_test_anon(folio))
		counts->anon++;
	folio_remove_rmap(folio, page, 1, false);
	oracle_touch(mm->world, folio);
	swap_zap_cache(mm->world, folio);
	folio_put(mm->world, folio);
}

/*
 * A migration entry holds no reference: the migrating thread has one, and finds
 * when it comes to restore the entry that it is gone.
 */
static void zap_ptes(struct vm_area_struct *vma, struct um_pgtable *table, unsigned long addr,
		     unsigned long end)
{
	struct mm_struct *mm = vma->vm_mm;
	struct zap_counts counts = { 0 };

	spin_lock(&table->ptl);
	for (; table->used && addr < end; addr += PAGE_SIZE) {
		unsigned int index = pgtable_index(addr, 0);
		pte_t pte = pgtable_get(table, index);

		if (pte_none(pte))
			continue;
		/* While the entry is there: whoever restores it waits for our lock. */
		if (pte_is_migration(pte))
			check_migration_pte(mm, pte);
		pgtable_set(table, index, 0);
		if (pte_normal(pte)) {
			zap_present(mm, pte, &counts);
		} else if (pte_is_swap(pte)) {
			counts.swap++;
			swap_zap(mm->world, pte_pfn(pte));
		} else if (pte_is_migration(pte)) {
			counts.anon++;
		}
	}
	spin_unlock(&table->ptl);
	zap_counts_sub(mm, &counts);
}

/* Returns false when the entry is not huge any more. */
static bool zap_huge(struct vm_area_struct *vma, struct um_pgtable *pmds, unsigned long addr)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned int index = pgtable_index(addr, 1);
	struct um_pgtable *table;
	struct folio *folio;
	pte_t pmd;

	spin_lock(&pmds->ptl);
	pmd = pgtable_get(pmds, index);
	if (!pte_is_huge(pmd)) {
		spin_unlock(&pmds->ptl);
		return false;
	}
	if (pte_is_migration(pmd))
		check_migration_pte(mm, pmd);
	pgtable_set(pmds, index, 0);
	table = pgtable_withdraw(pmds);
	atomic_long_sub(HPAGE_PMD_NR, &mm->nr_anon);
	if (pte_present(pmd)) {
		folio = (struct folio *)pte_page(mm, pmd);
		folio_remove_rmap(folio, &folio->page, HPAGE_PMD_NR, true);
		oracle_touch(mm->world, folio);
		swap_zap_cache(mm->world, folio);
		folio_put(mm->world, folio);
	}
	spin_unlock(&pmds->ptl);
	pgtable_free(mm, table);
	return true;
}

/**
 * zap_page_range - remove all entries of a range
 * @vma: of which it is a part
 * @start: page aligned
 * @end: the same
 *
 * Page tables stay. Correct with walks and migrations under way because the VMA can
 * still be found by them: callers that take VMAs out of an mm do so after this, or
 * detach them first.
 *
 * Context: mmap_lock held, for read at least; may sleep between tables.
 */
void zap_page_range(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct um_pgtable *pmds;
	unsigned long addr, next;
	pte_t pmd;

	for (addr = start; (pmds = pgtable_next(vma->vm_mm, &addr, end)); addr = next) {
		next = pmd_addr_end(addr, end);
		pmd = smp_load_acquire(&pmds->e[pgtable_index(addr, 1)]);
		if (pte_is_huge(pmd)) {
			if (next - addr == PMD_SIZE && zap_huge(vma, pmds, addr))
				continue;
			split_huge_pmd(vma, addr);
			pmd = smp_load_acquire(&pmds->e[pgtable_index(addr, 1)]);
		}
		if (pte_is_table(pmd))
			zap_ptes(vma, pte_table(pmd), addr, next);
	}
}

/* -- Moving ------------------------------------------------------------------------ */

/*
 * Both tables exist. Faults are kept out by mmap_lock and VMA locks, walks by the
 * anon_vma's rwsem, so the new entries are 0.
 */
static void move_ptes(struct mm_struct *mm, struct um_pgtable *old, unsigned long old_addr,
		      struct um_pgtable *new, unsigned long new_addr, unsigned long len)
{
	unsigned long offset;

	pgtable_lock_move(old, old_addr, new, new_addr);
	for (offset = 0; offset < len; offset += PAGE_SIZE) {
		unsigned int from = pgtable_index(old_addr + offset, 0);
		unsigned int to = pgtable_index(new_addr + offset, 0);
		pte_t pte = pgtable_get(old, from);

		if (pte_none(pte))
			continue;
		VM_BUG_ON(pgtable_get(new, to));
		pgtable_set(old, from, 0);
		pgtable_set(new, to, pte);
		if (pte_normal(pte))
			oracle_touch(mm->world, page_folio(pte_page(mm, pte)));
	}
	pgtable_unlock_move(old, old_addr, new, new_addr);
}

/* Returns false when the entry is not huge any more, or the new place is in use. */
static bool move_huge(struct mm_struct *mm, struct um_pgtable *old, unsigned long old_addr,
		      struct um_pgtable *new, unsigned long new_addr)
{
	unsigned int from = pgtable_index(old_addr, 1), to = pgtable_index(new_addr, 1);
	bool moved = false;
	pte_t pmd;

	pgtable_lock_move(old, old_addr, new, new_addr);
	pmd = pgtable_get(old, from);
	/* An empty table of PTEs may have been left there: then page by page. */
	if (pte_is_huge(pmd) && pte_none(pgtable_get(new, to))) {
		pgtable_set(old, from, 0);
		pgtable_set(new, to, pmd);
		pgtable_deposit(new, pgtable_withdraw(old));
		if (pte_present(pmd))
			oracle_touch(mm->world, page_folio(pte_page(mm, pmd)));
		moved = true;
	}
	pgtable_unlock_move(old, old_addr, new, new_addr);
	return moved;
}

/* The rmap lock is taken always: walks by address and by offset have no common order. */
static void move_lock(struct vm_area_struct *vma)
{
	if (vma->anon_vma)
		anon_vma_tree_lock_write(vma->anon_vma);
}

static void move_unlock(struct vm_area_struct *vma)
{
	if (vma->anon_vma)
		anon_vma_tree_unlock_write(vma->anon_vma);
}

/* One step: what lies in one table on both sides. Returns 0 or -ENOMEM. */
static int move_step(struct vm_area_struct *vma, struct um_pgtable *pmds,
		     unsigned long old_addr, unsigned long new_addr, unsigned long len)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned int index = pgtable_index(old_addr, 1);
	struct um_pgtable *new;
	bool moved;
	pte_t pmd = smp_load_acquire(&pmds->e[index]);

	if (pte_none(pmd))
		return 0;
	if (pte_is_huge(pmd) && len == PMD_SIZE) {
		new = pgtable_find_alloc(mm, new_addr, 1);
		if (!new)
			return -ENOMEM;
		move_lock(vma);
		moved = move_huge(mm, pmds, old_addr, new, new_addr);
		move_unlock(vma);
		if (moved)
			return 0;
	}
	split_huge_pmd(vma, old_addr);
	pmd = smp_load_acquire(&pmds->e[index]);
	if (!pte_is_table(pmd))
		return 0;
	new = pgtable_find_alloc(mm, new_addr, 0);
	if (!new)
		return -ENOMEM;
	move_lock(vma);
	move_ptes(mm, pte_table(pmd), old_addr, new, new_addr, len);
	move_unlock(vma);
	return 0;
}

/**
 * move_page_tables - move all entries of a range to another place in the mm
 * @vma: where they are
 * @old_addr: the range there
 * @new_vma: where they go: in the VMA tree, attached, without entries there
 * @new_addr: the range there
 * @len: of both
 *
 *	[ vma: old_addr ... + len )  ->  [ new_vma: new_addr ... + len )
 *
 * Entries of all kinds move as they are; so the number of migration entries does
 * not change. The two ranges are disjoint, or move down.
 *
 * Correct because: each entry changes its place under the write lock of the
 * anon_vma, and of both page tables: a walk, which holds the read lock for all of
 * its stay in an mm, sees it at one place and not at neither. vma and new_vma are
 * attached to the same anon_vma (and chain), unless the place that the pages are from,
 * or were from when this moves them back, is not attached at all: then there is nothing
 * here that walks look for. Pages that KSM merged are found by address and not by anon
 * offset, so they get copies first; moving back finds none, and so cannot fail.
 *
 * Context: mmap_lock held for write, both VMAs write-locked; may sleep. Returns the
 * bytes done; fewer than @len when there is no memory: the caller moves back.
 */
unsigned long move_page_tables(struct vm_area_struct *vma, unsigned long old_addr,
			       struct vm_area_struct *new_vma, unsigned long new_addr,
			       unsigned long len)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long done = 0, next, at;
	struct um_pgtable *pmds;

	VM_BUG_ON_VMA(vma->anon_vma && new_vma->anon_vma &&
		      anon_vma_tree_anon_vma(vma->anon_vma) !=
		      anon_vma_tree_anon_vma(new_vma->anon_vma), new_vma);
	(void)new_vma;
	if (ksm_unmerge(vma, old_addr, old_addr + len))
		return 0;
	while (done < len) {
		at = old_addr + done;
		pmds = pgtable_next(mm, &at, old_addr + len);
		if (!pmds)
			return len;
		done = at - old_addr;
		next = min(pmd_addr_end(at, old_addr + len) - at,
			   pmd_addr_end(new_addr + done, new_addr + len) - (new_addr + done));
		if (move_step(vma, pmds, at, new_addr + done, next))
			return done;
		done += next;
	}
	return len;
}

/* -- Protection -------------------------------------------------------------------- */

/* Takes PTE_WRITE from present entries, and from those that will be present again. */
static void wrprotect_ptes(struct um_pgtable *table, unsigned long addr, unsigned long end)
{
	spin_lock(&table->ptl);
	for (; addr < end; addr += PAGE_SIZE) {
		unsigned int index = pgtable_index(addr, 0);
		pte_t pte = pgtable_get(table, index);

		if (pte_write(pte))
			pgtable_set(table, index, pte & ~(pte_t)PTE_WRITE);
	}
	spin_unlock(&table->ptl);
}

static bool wrprotect_huge(struct um_pgtable *pmds, unsigned long addr)
{
	unsigned int index = pgtable_index(addr, 1);
	bool huge;
	pte_t pmd;

	spin_lock(&pmds->ptl);
	pmd = pgtable_get(pmds, index);
	huge = pte_is_huge(pmd);
	if (huge)
		pgtable_set(pmds, index, pmd & ~(pte_t)PTE_WRITE);
	spin_unlock(&pmds->ptl);
	return huge;
}

/**
 * change_protection - entries follow a change of vm_flags
 * @vma: write-locked, vm_flags are the new ones
 * @start: start of the range
 * @end: its end
 *
 * Only writing is in the entries; accesses look at vm_flags for the rest. Where
 * writing becomes allowed, the next write fault decides about copy or reuse.
 *
 * Context: mmap_lock held for write; may sleep between tables.
 */
void change_protection(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct um_pgtable *pmds;
	unsigned long addr, next;
	pte_t pmd;

	if (vma->vm_flags & VM_WRITE)
		return;
	for (addr = start; (pmds = pgtable_next(vma->vm_mm, &addr, end)); addr = next) {
		next = pmd_addr_end(addr, end);
		pmd = smp_load_acquire(&pmds->e[pgtable_index(addr, 1)]);
		if (pte_is_huge(pmd)) {
			if (next - addr == PMD_SIZE && wrprotect_huge(pmds, addr))
				continue;
			split_huge_pmd(vma, addr);
			pmd = smp_load_acquire(&pmds->e[pgtable_index(addr, 1)]);
		}
		if (pte_is_table(pmd))
			wrprotect_ptes(pte_table(pmd), addr, next);
	}
}
