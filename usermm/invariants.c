// SPDX-License-Identifier: GPL-2.0
/*
 * Invariants of page tables and folios
 *
 * What must hold whenever nothing is under way; the numbers are those of
 * docs/design.md. (3, 4 and a part of 7 are in invariants_topology.c; 8, that walks
 * report what is mapped, is the oracle's.)
 *
 * 1. A folio that is not KSM's is mapped by, or has swap entries in, only such mms
 *    as a walk from its owner comes to.
 * 2. The number that a page has by the VMA and the address where it is mapped is the
 *    number that it has by its folio.
 * 5. A page marked AnonExclusive has one mapping. Only such pages are writable in
 *    private mappings, and never a page of KSM or of a file.
 * 6. Where a page of a process's own is, or a swap entry, the VMA has an anon_vma.
 * 7. Mapcounts, reference counts and counts of swap slots are what a scan finds.
 *
 * Also: every entry is of one kind, in a VMA that allows it, and there are no
 * migration entries left.
 *
 * The world is still.
 */
#include <stdlib.h>
#include "invariants.h"

void *inv_push(struct inv_check *check, struct inv_array *array)
{
	if (array->nr == array->max) {
		size_t max = array->max ? 2 * array->max : 256;
		void *bigger = realloc(array->data, max * array->size);

		if (!bigger) {
			check->no_memory = true;
			return NULL;
		}
		array->data = bigger;
		array->max = max;
	}
	return (char *)array->data + array->nr++ * array->size;
}

/* -- Entries ----------------------------------------------------------------------- */

#define entry_broken(check, addr, fmt, ...) \
	inv_broken(check, fmt ": mm %u %lx", ##__VA_ARGS__, (check)->mm->id, addr)

/* Does a walk from the owner come to this VMA? Found out without the topology's hooks. */
static bool owner_covers(const struct inv_check *check, struct anon_vma *owner,
			 struct vm_area_struct *vma)
{
	const struct anon_vma_topology *topology = check->world->topology;
	const struct anon_vma *anon_vma;
	struct anon_vma_chain *avc;

	if (topology->release == lazy_anon_vma_release) {
		for (anon_vma = anon_vma_tree_anon_vma(vma->anon_vma); anon_vma;
		     anon_vma = lazy_anon_vma_parent(anon_vma))
			if (anon_vma == owner)
				return true;
		return false;
	}
	/* One that tests have registered knows best what its walks reach. */
	if (topology->release != regular_topology.release)
		return topology->covers(owner, vma);
	list_for_each_entry(avc, &vma->anon_vma_chain, same_vma)
		if (avc->anon_vma == owner)
			return true;
	return false;
}

static void check_anon_page(struct inv_check *check, unsigned long addr, pte_t pte,
			    struct folio *folio, struct page *page)
{
	struct vm_area_struct *vma = check->vma;
	pgoff_t index = folio_pgoff(folio) + (page - &folio->page);

	if (!vma->anon_vma) {
		entry_broken(check, addr, "6: anonymous page in a VMA without anon_vma");
		return;
	}
	if (vma->vm_flags & VM_SHARED)
		entry_broken(check, addr, "5: anonymous page in a shared mapping");
	if (folio_test_ksm(folio)) {
		if (pte & PTE_WRITE || page_anon_exclusive(page))
			entry_broken(check, addr, "5: page of KSM is writable or exclusive");
		return;
	}
	if (anon_page_index(vma, addr) != index)
		entry_broken(check, addr, "2: number by VMA %lx, by folio %lx",
			     anon_page_index(vma, addr), index);
	if (!owner_covers(check, folio_anon_vma(folio), vma))
		entry_broken(check, addr, "1: pfn %lx mapped outside of its owner's subtree",
			     pte_pfn(pte));
	if (pte & PTE_WRITE && !page_anon_exclusive(page))
		entry_broken(check, addr, "5: pfn %lx writable, not exclusive", pte_pfn(pte));
}

static void check_present(struct inv_check *check, unsigned long addr, pte_t pte)
{
	struct vm_area_struct *vma = check->vma;
	unsigned long pfn = pte_pfn(pte);
	struct folio *folio;
	struct page *page;

	if (pte & PTE_WRITE && !(vma->vm_flags & VM_WRITE))
		entry_broken(check, addr, "5: writable entry, the VMA is not");
	if (pte & PTE_SPECIAL) {
		if (pfn == page_to_pfn(check->world, &check->world->zero_folio->page) &&
		    pte & PTE_WRITE)
			entry_broken(check, addr, "5: the zero page is writable");
		return;
	}
	if (pfn >= check->max_pfn || !folio_ref_count(pfn_folio(check->world, pfn))) {
		entry_broken(check, addr, "7: pfn %lx is free", pfn);
		return;
	}
	page = pfn_to_page(check->world, pfn);
	folio = page_folio(page);
	if (pte & PTE_HUGE) {
		if (page != &folio->page || folio_order(folio) != HPAGE_PMD_ORDER)
			entry_broken(check, addr, "7: huge entry, pfn %lx is not", pfn);
		check->pmds[pfn]++;
	} else {
		check->ptes[pfn]++;
	}
	if (folio_test_anon(folio)) {
		check->nr_anon += pte & PTE_HUGE ? HPAGE_PMD_NR : 1;
		check_anon_page(check, addr, pte, folio, page);
		return;
	}
	if (!vma->vm_file || vma_is_anonymous(vma))
		entry_broken(check, addr, "6: pfn %lx of a file in a VMA without", pfn);
	if (pte & PTE_WRITE && !(vma->vm_flags & VM_SHARED))
		entry_broken(check, addr, "5: pfn %lx of a file is writable privately", pfn);
}

static void check_swap_entry(struct inv_check *check, unsigned long addr, pte_t pte)
{
	unsigned long *slot = inv_push(check, &check->slots);
	struct folio *folio;

	check->nr_swap++;
	if (slot)
		*slot = pte_pfn(pte);
	if (!check->vma->anon_vma)
		entry_broken(check, addr, "6: swap entry in a VMA without anon_vma");
	if (pte & PTE_EXCLUSIVE && swap_count(check->world, pte_pfn(pte)) != 1)
		entry_broken(check, addr, "5: exclusive swap entry, slot %lx has %d",
			     pte_pfn(pte), swap_count(check->world, pte_pfn(pte)));
	folio = swap_cache_get(check->world, pte_pfn(pte));
	if (!folio)
		return;
	/* What was KSM's when swapped out belongs nowhere until it is mapped again. */
	if (!(pte & PTE_KSM) && check->vma->anon_vma && folio_anon_vma(folio) &&
	    !owner_covers(check, folio_anon_vma(folio), check->vma))
		entry_broken(check, addr, "1: slot %lx outside of its owner's subtree",
			     pte_pfn(pte));
	folio_put(check->world, folio);
}

static int check_entry(struct mm_struct *mm, unsigned long addr, pte_t pte, void *arg)
{
	struct inv_check *check = arg;
	unsigned long end = addr + (pte & PTE_HUGE ? PMD_SIZE : PAGE_SIZE);
	int kinds = pte_present(pte) + !!pte_is_swap(pte) + !!pte_is_migration(pte) +
		    !!pte_is_poison(pte);

	if (!check->vma || addr < check->vma->vm_start || addr >= check->vma->vm_end)
		check->vma = mtree_load(&mm->mm_mt, addr);
	if (!check->vma) {
		entry_broken(check, addr, "tree: entry %llx in no VMA", (unsigned long long)pte);
		return 0;
	}
	if (end > check->vma->vm_end || addr & (end - addr - 1))
		entry_broken(check, addr, "tree: huge entry is not aligned, or too large");
	if (kinds != 1)
		entry_broken(check, addr, "7: entry %llx is of no kind, or of several",
			     (unsigned long long)pte);
	else if (pte_present(pte))
		check_present(check, addr, pte);
	else if (pte_is_swap(pte))
		check_swap_entry(check, addr, pte);
	else if (pte_is_migration(pte))
		entry_broken(check, addr, "7: migration entry %llx was left",
			     (unsigned long long)pte);
	return 0;
}

static void check_mm(struct inv_check *check, struct mm_struct *mm)
{
	check->mm = mm;
	check->vma = NULL;
	check->nr_anon = 0;
	check->nr_swap = 0;
	pgtable_for_each(mm, 0, TASK_SIZE, check_entry, check);
	if (atomic_long_read(&mm->nr_anon) != check->nr_anon ||
	    atomic_long_read(&mm->nr_swap) != check->nr_swap)
		inv_broken(check, "7: mm %u counts %ld pages, %ld swap entries; found %ld, %ld",
			   mm->id, atomic_long_read(&mm->nr_anon), atomic_long_read(&mm->nr_swap),
			   check->nr_anon, check->nr_swap);
}

/* -- Folios ------------------------------------------------------------------------ */

static void check_page_counts(struct inv_check *check, struct folio *folio, long i)
{
	struct page *page = folio_page(folio, i);
	unsigned long pfn = page_to_pfn(check->world, page);
	unsigned int pmds = check->pmds[page_to_pfn(check->world, &folio->page)];

	if ((unsigned int)atomic_read(&page->_mapcount) != check->ptes[pfn])
		inv_broken(check, "7: pfn %lx: mapcount %d, %u PTEs found", pfn,
			   atomic_read(&page->_mapcount), check->ptes[pfn]);
	if (page_anon_exclusive(page) && check->ptes[pfn] + pmds > 1)
		inv_broken(check, "5: pfn %lx is exclusive and has %u mappings", pfn,
			   check->ptes[pfn] + pmds);
}

static void check_folio_counts(struct inv_check *check, struct folio *folio)
{
	unsigned long pfn = page_to_pfn(check->world, &folio->page);
	long i, nr = folio_nr_pages(folio), mappings = check->pmds[pfn], refs;

	for (i = 0; i < nr; i++) {
		check_page_counts(check, folio, i);
		mappings += check->ptes[pfn + i];
	}
	if (folio_test_large(folio) &&
	    (unsigned int)atomic_read(folio_entire_mapcount_ptr(folio)) != check->pmds[pfn])
		inv_broken(check, "7: pfn %lx: entire mapcount %d, %u PMDs found", pfn,
			   atomic_read(folio_entire_mapcount_ptr(folio)), check->pmds[pfn]);
	if (folio_mapcount(folio) != mappings)
		inv_broken(check, "7: pfn %lx: folio mapcount %d, %ld mappings found", pfn,
			   folio_mapcount(folio), mappings);
	if (test_bit(PG_locked, &folio->flags) || test_bit(PG_isolated, &folio->flags))
		inv_broken(check, "7: pfn %lx was left locked or isolated", pfn);

	/* Each mapping has one, each slot of the swap cache, and the file. */
	refs = mappings + !!test_bit(PG_file, &folio->flags) +
		(test_bit(PG_swapcache, &folio->flags) ? nr : 0);
	if (folio_ref_count(folio) != refs && !test_bit(PG_hwpoison, &folio->flags))
		inv_broken(check, "7: pfn %lx: %d references, %ld found", pfn,
			   folio_ref_count(folio), refs);
}

/* Returns the pages used by folios, as found. */
static u64 check_folios(struct inv_check *check)
{
	unsigned long pfn = 0;
	u64 used = 0;

	while (pfn < check->max_pfn) {
		struct page *page = pfn_to_page(check->world, pfn);
		struct folio *folio = (struct folio *)page;

		if (!folio_ref_count(folio) || folio == check->world->zero_folio) {
			pfn++;
			continue;
		}
		if (test_bit(PG_tail, &page->flags) || test_bit(PG_buddy, &page->flags)) {
			inv_broken(check, "7: pfn %lx: flags %lx, but is no tail or free page",
				   pfn, page->flags);
			pfn++;
			continue;
		}
		check_folio_counts(check, folio);
		used += folio_nr_pages(folio);
		pfn += folio_nr_pages(folio);
	}
	return used;
}

static void check_memory(struct inv_check *check)
{
	u64 found = check_folios(check), used, peak;

	frames_usage(check->world, &used, &peak);
	if (found != used)
		inv_broken(check, "7: %llu pages in use, %llu found", (unsigned long long)used,
			   (unsigned long long)found);
}

static int compare_slots(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

	return x < y ? -1 : x > y;
}

static void check_slots(struct inv_check *check)
{
	unsigned long *slot = check->slots.data;
	size_t i, j;

	inv_sort(&check->slots, compare_slots);
	for (i = 0; i < check->slots.nr; i = j) {
		for (j = i; j < check->slots.nr && slot[j] == slot[i]; j++)
			;
		if ((size_t)swap_count(check->world, slot[i]) != j - i)
			inv_broken(check, "7: swap slot %lx: count %d, %zu entries found", slot[i],
				   swap_count(check->world, slot[i]), j - i);
	}
}

/* -- All of it --------------------------------------------------------------------- */

/**
 * check_invariants - see the head of this file
 * @world: still
 *
 * Returns the number of findings made.
 */
long check_invariants(struct um_world *world)
{
	struct inv_check check = { .world = world, .max_pfn = frames_max_pfn(world) };
	u64 before = um_findings(world);
	struct mm_struct *mm;
	long broken;

	check.slots.size = sizeof(unsigned long);
	check.ptes = calloc(check.max_pfn, sizeof(*check.ptes));
	check.pmds = calloc(check.max_pfn, sizeof(*check.pmds));
	if (check.ptes && check.pmds) {
		check_topology(&check);
		list_for_each_entry(mm, &world->mms, mm_list)
			check_mm(&check, mm);
		check_memory(&check);
		if (!check.no_memory)
			check_slots(&check);
	}
	if (!check.ptes || !check.pmds || check.no_memory)
		inv_broken(&check, "check: no memory for it");
	broken = um_findings(world) - before;
	atomic_long_inc(&world->invariants_checked);
	atomic_long_add(broken, &world->invariants_broken);

	free(check.ptes);
	free(check.pmds);
	free(check.slots.data);
	free(check.anon_vmas.data);
	free(check.chains.data);
	free(check.words.data);
	return broken;
}
