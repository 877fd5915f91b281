// SPDX-License-Identifier: GPL-2.0
/*
 * Faults on huge pages: 2 MiB folios mapped by one entry of a PMD table
 *
 * Each such entry has a table of PTEs deposited, so that it can always be split.
 */
#include "fault.h"
#include "frame.h"
#include "pgtable.h"

/**
 * do_huge_anonymous - first access to an empty 2 MiB of an anonymous VMA
 * @vma: holds all of it; locked as @flags say
 * @addr: in it
 * @pmds: the PMD table
 * @flags: FAULT_*
 *
 * Returns 0, or as fault.h says; FAULT_FALLBACK when there is no memory in one
 * piece, or somebody else was there first.
 */
int do_huge_anonymous(struct vm_area_struct *vma, unsigned long addr, struct um_pgtable *pmds,
		      unsigned int flags)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned int index = pgtable_index(addr, 1);
	struct um_pgtable *table;
	struct folio *folio;
	pte_t bits = PTE_PRESENT | PTE_HUGE | PTE_YOUNG | PTE_DIRTY;
	int ret = fault_prepare(vma, flags);

	if (ret)
		return ret;
	folio = folio_alloc(mm->world, HPAGE_PMD_ORDER);
	if (!folio)
		return FAULT_FALLBACK;
	table = pgtable_alloc(mm, 0);
	if (!table) {
		folio_put(mm->world, folio);
		return -ENOMEM;
	}
	if (vma->vm_flags & VM_WRITE)
		bits |= PTE_WRITE;

	spin_lock(&pmds->ptl);
	if (!pte_none(pgtable_get(pmds, index))) {
		spin_unlock(&pmds->ptl);
		pgtable_free(mm, table);
		folio_put(mm->world, folio);
		return -EAGAIN;
	}
	pgtable_deposit(pmds, table);
	folio_add_new_anon_rmap(folio, vma, addr & PMD_MASK, true);
	lru_add(mm->world, folio);
	pgtable_set(pmds, index, mk_pte(page_to_pfn(mm->world, &folio->page), bits));
	spin_unlock(&pmds->ptl);
	atomic_long_add(HPAGE_PMD_NR, &mm->nr_anon);
	return 0;
}

/* Make a huge entry writable if its folio is used here only. ptl held. */
static bool huge_reuse(struct vm_area_struct *vma, struct um_pgtable *pmds, unsigned int index,
		       pte_t pmd)
{
	struct folio *folio = (struct folio *)pte_page(vma->vm_mm, pmd);

	if (!page_anon_exclusive(&folio->page)) {
		if (!fault_can_reuse(vma->vm_mm->world, folio))
			return false;
		folio_move_anon_rmap(folio, vma);
		set_bit(PG_anon_exclusive, &folio->flags);
		folio_unlock(folio);
		oracle_touch(vma->vm_mm->world, folio);
	}
	pgtable_set(pmds, index, pmd | PTE_WRITE | PTE_DIRTY | PTE_YOUNG);
	return true;
}

/**
 * do_huge_fault - an access to what a huge entry maps
 * @vma: locked as @flags say
 * @addr: in it
 * @pmds: the PMD table, where a huge entry was seen
 * @flags: FAULT_*
 *
 * A write to a shared folio splits the entry; the page is then copied alone.
 *
 * Returns 0, -EAGAIN (under migration), or FAULT_FALLBACK: not huge any more.
 */
int do_huge_fault(struct vm_area_struct *vma, unsigned long addr, struct um_pgtable *pmds,
		  unsigned int flags)
{
	unsigned int index = pgtable_index(addr, 1);
	bool write = flags & FAULT_WRITE;
	int ret = 0;
	pte_t pmd;

	spin_lock(&pmds->ptl);
	pmd = pgtable_get(pmds, index);
	if (!pte_is_huge(pmd))
		ret = FAULT_FALLBACK;
	else if (pte_is_migration(pmd))
		ret = -EAGAIN;
	else if (!write || pte_write(pmd))
		pgtable_set(pmds, index, pmd | PTE_YOUNG | (write ? PTE_DIRTY : 0));
	else if (!huge_reuse(vma, pmds, index, pmd))
		ret = FAULT_FALLBACK;
	spin_unlock(&pmds->ptl);
	if (ret == FAULT_FALLBACK)
		split_huge_pmd(vma, addr);
	return ret;
}
