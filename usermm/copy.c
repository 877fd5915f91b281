// SPDX-License-Identifier: GPL-2.0
/*
 * Copying page tables at fork
 *
 * Why a walk misses no copy: an entry is copied with the locks of both tables held,
 * and the child can be found by walks from before the first copy (see the head of
 * core/anon_vma_lazy.c, and anon_vma_fork()). A walk that changes entries has either
 * been at the parent's before, then the copy is of what it left; or it comes later,
 * and then comes to the child's as well.
 *
 * Lock order: the child's table, then the parent's, which is the same level in
 * another mm: subclass SINGLE_DEPTH_NESTING. Nobody else holds two tables of
 * different mms.
 */
#include "frame.h"
#include "pgtable.h"

struct copy_counts {
	long anon, swap;
};

/* Of a page of a file, or of memory that is anonymous: the child shares it. */
static pte_t copy_present(struct mm_struct *mm, struct um_pgtable *src, unsigned int index,
			  pte_t pte, struct copy_counts *counts)
{
	struct page *page = pte_page(mm, pte);
	struct folio *folio = page_folio(page);

	folio_get(folio);
	if (folio_test_anon(folio)) {
		folio_dup_anon_rmap(folio, page, 1, false);
		counts->anon++;
	} else {
		folio_add_file_rmap(folio, page);
	}
	oracle_touch(mm->world, folio);
	/* VMAs with an anon_vma are private: writing means copying, in both. */
	if (pte_write(pte)) {
		pte &= ~(pte_t)PTE_WRITE;
		pgtable_set(src, index, pte);
	}
	return pte & ~(pte_t)PTE_YOUNG;
}

/*
 * An entry that is not present. Both copies name the same page or slot, so it is
 * not exclusive any more. The clock tells a migration's restoring walk that there
 * is one entry more than it knows of; with the source's lock held, see
 * migration_entry_copied().
 */
static pte_t copy_nonpresent(struct mm_struct *mm, struct um_pgtable *src, unsigned int index,
			     pte_t pte, struct copy_counts *counts)
{
	if (pte_is_poison(pte))
		return pte;
	if (pte_is_swap(pte)) {
		swap_dup(mm->world, pte_pfn(pte));
		counts->swap++;
	} else {
		VM_BUG_ON(!pte_is_migration(pte));
		check_migration_pte(mm, pte);
		migration_entry_copied();
		counts->anon++;
	}
	if (pte & (PTE_EXCLUSIVE | PTE_WRITE)) {
		pte &= ~(pte_t)(PTE_EXCLUSIVE | PTE_WRITE);
		pgtable_set(src, index, pte);
	}
	return pte;
}

static void copy_ptes(struct mm_struct *mm, struct um_pgtable *to, struct um_pgtable *from,
		      unsigned long addr, unsigned long end)
{
	struct copy_counts counts = { 0 };

	spin_lock(&to->ptl);
	spin_lock_nested(&from->ptl, SINGLE_DEPTH_NESTING);
	for (; addr < end; addr += PAGE_SIZE) {
		unsigned int index = pgtable_index(addr, 0);
		pte_t pte = pgtable_get(from, index);

		if (pte_none(pte))
			continue;
		if (pte_normal(pte))
			pte = copy_present(mm, from, index, pte, &counts);
		else if (!pte_present(pte))
			pte = copy_nonpresent(mm, from, index, pte, &counts);
		pgtable_set(to, index, pte);
	}
	spin_unlock(&from->ptl);
	spin_unlock(&to->ptl);
	atomic_long_add(counts.anon, &mm->nr_anon);
	atomic_long_add(counts.swap, &mm->nr_swap);
}

/*
 * A huge entry is shared as a whole. Returns 0; -EAGAIN when it is not huge any
 * more: reclaim and migration may split it at any moment; or -ENOMEM.
 */
static int copy_huge(struct mm_struct *mm, struct um_pgtable *to, struct um_pgtable *from,
		     unsigned long addr)
{
	struct um_pgtable *spare = pgtable_alloc(mm, 0);
	unsigned int index = pgtable_index(addr, 1);
	struct folio *folio;
	int ret = -EAGAIN;
	pte_t pmd;

	if (!spare)
		return -ENOMEM;
	spin_lock(&to->ptl);
	spin_lock_nested(&from->ptl, SINGLE_DEPTH_NESTING);
	pmd = pgtable_get(from, index);
	if (pte_is_huge(pmd)) {
		if (pte_present(pmd)) {
			folio = (struct folio *)pte_page(mm, pmd);
			folio_get(folio);
			folio_dup_anon_rmap(folio, &folio->page, HPAGE_PMD_NR, true);
			oracle_touch(mm->world, folio);
		} else {
			check_migration_pte(mm, pmd);
			migration_entry_copied();
		}
		pmd &= ~(pte_t)(PTE_WRITE | PTE_EXCLUSIVE);
		pgtable_set(from, index, pmd);
		pgtable_set(to, index, pmd);
		pgtable_deposit(to, spare);
		atomic_long_add(HPAGE_PMD_NR, &mm->nr_anon);
		ret = 0;
	}
	spin_unlock(&from->ptl);
	spin_unlock(&to->ptl);
	if (ret)
		pgtable_free(mm, spare);
	return ret;
}

/* What lies in one table of PTEs of the parent's. Returns 0 or -ENOMEM. */
static int copy_step(struct vm_area_struct *dst, struct um_pgtable *pmds, unsigned long addr,
		     unsigned long end)
{
	struct mm_struct *mm = dst->vm_mm;
	unsigned int index = pgtable_index(addr, 1);
	pte_t pmd = smp_load_acquire(&pmds->e[index]);
	struct um_pgtable *to;
	int err;

	if (pte_none(pmd))
		return 0;
	if (pte_is_huge(pmd)) {
		to = pgtable_find_alloc(mm, addr, 1);
		if (!to)
			return -ENOMEM;
		/* VMAs do not end inside of a huge entry: it is all the child's. */
		err = copy_huge(mm, to, pmds, addr);
		if (err != -EAGAIN)
			return err;
		pmd = smp_load_acquire(&pmds->e[index]);
	}
	to = pgtable_find_alloc(mm, addr, 0);
	if (!to)
		return -ENOMEM;
	copy_ptes(mm, to, pte_table(pmd), addr, end);
	return 0;
}

/**
 * copy_page_range - give a child what its parent has in a VMA
 * @dst: the child's VMA, attached to its anon_vmas
 * @src: the parent's, write-locked
 *
 * Only where anonymous pages may be: pages of files can be faulted in again.
 *
 * Context: both mmap_locks held for write; may sleep. Returns 0, or -ENOMEM with a
 * part copied, which exit_mmap() of the child will zap.
 */
int copy_page_range(struct vm_area_struct *dst, struct vm_area_struct *src)
{
	unsigned long addr, next, end = src->vm_end;
	struct um_pgtable *pmds;
	int err;

	if (!src->anon_vma)
		return 0;
	for (addr = src->vm_start; (pmds = pgtable_next(src->vm_mm, &addr, end)); addr = next) {
		next = pmd_addr_end(addr, end);
		err = copy_step(dst, pmds, addr, next);
		if (err)
			return err;
	}
	return 0;
}
