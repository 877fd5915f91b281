// SPDX-License-Identifier: GPL-2.0
#include "inner.h"

struct vm_area_struct *vma_at(struct mm_struct *mm, uint64_t addr)
{
	struct vm_area_struct *vma;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	mmap_read_unlock(mm);
	assert_non_null(vma);
	return vma;
}

struct anon_vma *anon_vma_at(struct mm_struct *mm, uint64_t addr)
{
	return anon_vma_tree_anon_vma(vma_at(mm, addr)->anon_vma);
}

pte_t entry_at(struct mm_struct *mm, uint64_t addr)
{
	struct um_pgtable *table;
	pte_t pte = 0;

	rcu_read_lock();
	table = pgtable_find(mm, addr, 1);
	if (table)
		pte = pgtable_get(table, pgtable_index(addr, 1));
	if (table && !(pte & PTE_HUGE)) {
		table = pgtable_find(mm, addr, 0);
		pte = table ? pgtable_get(table, pgtable_index(addr, 0)) : 0;
	}
	rcu_read_unlock();
	return pte;
}

struct folio *folio_at(struct mm_struct *mm, uint64_t addr)
{
	pte_t pte = entry_at(mm, addr);

	assert_true(pte_present(pte));
	return pfn_folio(mm->world, pte_pfn(pte));
}

uint64_t live(struct t *t, enum um_object object)
{
	/* A barrier takes 10 ms and more, and frees nothing of what is not there. */
	if (t_stats(t).objects[object].live)
		rcu_barrier();
	return t_stats(t).objects[object].live;
}
