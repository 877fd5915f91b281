// SPDX-License-Identifier: GPL-2.0
/*
 * Accounting of mappings: who owns a folio, how it is numbered, how often it is
 * mapped, and which of its pages are exclusive
 *
 * Counts. Each page counts the PTEs that map it; a large folio also counts the PMDs
 * that map all of it, and the sum of both. They change under the lock of the page
 * table whose entry changes.
 *
 * AnonExclusive (PG_anon_exclusive) says that a page has exactly one mapping, which
 * may be made writable without looking further. It belongs to the mapping: it goes
 * when that is removed, travels in migration and swap entries, and fork takes it
 * away under the lock of the parent's page table. A folio that is mapped by a PMD
 * has it in its first page, as Linux.
 *
 * Numbering and owner are written once, with the first mapping, but for
 * folio_move_anon_rmap() and renumbering (UFFDIO_MOVE, the stack of exec).
 */
#include "internal.h"

/*
 * Release: pairs with the address dependency of those who follow the word, and
 * with the acquire of the owner's rwsem. Without it a walk that came by folio->mapping
 * could find vma->anon_vma, or the anon_vma's list of mms, not set yet; see
 * lazy_anon_vma_prepare().
 */
static void folio_set_owner(struct folio *folio, struct anon_vma *owner)
{
	smp_store_release(&folio->mapping, (void *)((unsigned long)owner + PAGE_MAPPING_ANON));
}

static void set_exclusive(struct page *page, long nr)
{
	long i;

	for (i = 0; i < nr; i++)
		set_bit(PG_anon_exclusive, &page[i].flags);
}

static void add_mapcount(struct folio *folio, struct page *page, long nr, bool huge)
{
	long i;

	if (!folio_test_large(folio)) {
		atomic_inc(&folio->_mapcount);
		return;
	}
	if (huge) {
		atomic_inc(folio_entire_mapcount_ptr(folio));
		atomic_long_inc(folio_large_mapcount_ptr(folio));
		return;
	}
	for (i = 0; i < nr; i++)
		atomic_inc(&page[i]._mapcount);
	atomic_long_add(nr, folio_large_mapcount_ptr(folio));
}

/**
 * folio_add_new_anon_rmap - account for a new folio's mapping
 * @folio: not anonymous yet; nobody walks to it
 * @vma: prepared (vma->anon_vma is set), and kept by its lock, or mmap_lock
 * @addr: of the folio's first page; all of it lies in @vma
 * @exclusive: no other mm maps it, or has a swap entry for it
 *
 * A folio of the order of a PMD is going to be mapped by one, any other by PTEs, all
 * of its pages. Chooses the owner: every mm that has the folio, by an entry of
 * whatever kind, is in the owner's subtree.
 *
 * Context: any; the PTE lock is held, so that nobody sees the entry before this.
 */
void folio_add_new_anon_rmap(struct folio *folio, struct vm_area_struct *vma,
			     unsigned long addr, bool exclusive)
{
	bool huge = folio_order(folio) == HPAGE_PMD_ORDER;
	long nr = folio_nr_pages(folio);

	VM_BUG_ON_VMA(!vma->anon_vma, vma);
	VM_BUG_ON_FOLIO(folio_test_anon(folio), folio);
	VM_BUG_ON_VMA(addr < vma->vm_start || addr + (nr << PAGE_SHIFT) > vma->vm_end, vma);

	set_bit(PG_swapbacked, &folio->flags);
	set_bit(PG_uptodate, &folio->flags);
	WRITE_ONCE(folio->index, anon_page_index(vma, addr));
	folio_set_owner(folio, vma->vm_mm->topology->owner(vma, exclusive));
	add_mapcount(folio, &folio->page, nr, huge);
	if (exclusive)
		set_exclusive(&folio->page, huge ? 1 : nr);
	oracle_touch(vma->vm_mm->world, folio);
}

/*
 * Ownership rule and numbering, for a mapping that is added to a folio. KSM has no
 * owner: its items say where its mappings are. A folio may be KSM here by now that
 * was not when the caller looked, but not the other way round.
 */
static bool mapping_fits(struct folio *folio, struct page *page, struct vm_area_struct *vma,
			 unsigned long addr)
{
	struct anon_vma *owner = folio_anon_vma(folio);

	if (!owner)
		return folio_test_ksm(folio);
	return folio_pgoff(folio) + (page - &folio->page) == anon_page_index(vma, addr) &&
		vma->vm_mm->topology->covers(owner, vma);
}

/**
 * folio_add_anon_rmap - account for a further mapping of an anonymous folio
 * @folio: its owner covers @vma
 * @page: first page of it that is mapped
 * @nr: how many
 * @huge: all of the folio, by a PMD
 * @vma: where
 * @addr: where @page is mapped
 * @exclusive: it is the only mapping of these pages
 *
 * Context: any; PTE lock held.
 */
void folio_add_anon_rmap(struct folio *folio, struct page *page, long nr, bool huge,
			 struct vm_area_struct *vma, unsigned long addr, bool exclusive)
{
	VM_BUG_ON_FOLIO(!mapping_fits(folio, page, vma, addr), folio);
	add_mapcount(folio, page, nr, huge);
	if (exclusive)
		set_exclusive(page, huge ? 1 : nr);
	oracle_touch(vma->vm_mm->world, folio);
	(void)addr;
}

/* The same for a copy by fork: shared from now on. Both PTE locks held. */
void folio_dup_anon_rmap(struct folio *folio, struct page *page, long nr, bool huge)
{
	long i;

	for (i = 0; i < (huge ? 1 : nr); i++)
		if (page_anon_exclusive(&page[i]))
			clear_bit(PG_anon_exclusive, &page[i].flags);
	add_mapcount(folio, page, nr, huge);
}

void folio_add_file_rmap(struct folio *folio, struct page *page)
{
	add_mapcount(folio, page, 1, false);
}

/**
 * folio_remove_rmap - a mapping is gone
 * @folio: of it
 * @page: first page that was mapped
 * @nr: how many
 * @huge: all of the folio, by a PMD
 *
 * Context: any; PTE lock held. The caller still has the mapping's reference.
 */
void folio_remove_rmap(struct folio *folio, struct page *page, long nr, bool huge)
{
	long i;

	for (i = 0; i < (huge ? 1 : nr); i++)
		if (page_anon_exclusive(&page[i]))
			clear_bit(PG_anon_exclusive, &page[i].flags);

	if (!folio_test_large(folio)) {
		VM_BUG_ON_FOLIO(atomic_read(&folio->_mapcount) <= 0, folio);
		atomic_dec(&folio->_mapcount);
		return;
	}
	if (huge) {
		atomic_dec(folio_entire_mapcount_ptr(folio));
		atomic_long_dec(folio_large_mapcount_ptr(folio));
		return;
	}
	for (i = 0; i < nr; i++) {
		VM_BUG_ON_FOLIO(atomic_read(&page[i]._mapcount) <= 0, folio);
		atomic_dec(&page[i]._mapcount);
	}
	atomic_long_sub(nr, folio_large_mapcount_ptr(folio));
}

/**
 * folio_move_anon_rmap - a folio that has one mapping belongs to that mapping's mm
 * @folio: locked; nobody else has a mapping, or a swap entry
 * @vma: where it is mapped
 *
 * Makes later walks short: the old owner may be an ancestor with many children.
 *
 * Context: any; PTE lock held.
 */
void folio_move_anon_rmap(struct folio *folio, struct vm_area_struct *vma)
{
	VM_BUG_ON_FOLIO(!folio_test_locked(folio), folio);
	folio_set_owner(folio, vma->vm_mm->topology->owner(vma, true));
}
