// SPDX-License-Identifier: GPL-2.0
/*
 * Advice about pages: free them when need be, treat them as cold, write them out
 *
 * All of it is a hint; pages that other processes map too are left alone, and so are
 * large folios of which only a part is meant.
 */
#include "pgtable.h"
#include "swap.h"

/* A run of entries of one folio, all of its pages; its table is locked. */
struct advised {
	struct vm_area_struct *vma;
	struct um_pgtable *table;
	unsigned int index;
	unsigned int entries;		/* 1 for a huge one */
	struct folio *folio;
	struct list_head *list;		/* for those that collect */
};

typedef void (*advise_fn)(struct advised *advised);

/* From the entry at @index on: is it, with those behind it, all of a folio's mappings? */
static bool advised_find(struct advised *advised, unsigned int end)
{
	pte_t pte = pgtable_get(advised->table, advised->index);
	struct mm_struct *mm = advised->vma->vm_mm;
	unsigned int i;

	if (!pte_normal(pte))
		return false;
	advised->folio = page_folio(pte_page(mm, pte));
	advised->entries = pte_is_huge(pte) ? 1 : folio_nr_pages(advised->folio);
	if (!folio_test_anon(advised->folio) || folio_test_ksm(advised->folio) ||
	    pte_page(mm, pte) != &advised->folio->page ||
	    advised->index + advised->entries > end ||
	    folio_mapcount(advised->folio) != (int)advised->entries)
		return false;
	for (i = 1; i < advised->entries; i++) {
		pte_t next = pgtable_get(advised->table, advised->index + i);

		if (!pte_normal(next) || pte_pfn(next) != pte_pfn(pte) + i)
			return false;
	}
	return true;
}

static void advised_clear(struct advised *advised, pte_t bits)
{
	unsigned int i;

	for (i = advised->index; i < advised->index + advised->entries; i++)
		pgtable_set(advised->table, i, pgtable_get(advised->table, i) & ~bits);
}

/* One table; the entries [index, end) are in the range. */
static void advise_table(struct advised *advised, unsigned int end, advise_fn fn)
{
	spin_lock(&advised->table->ptl);
	while (advised->index < end) {
		if (advised_find(advised, end)) {
			fn(advised);
			advised->index += advised->entries;
		} else {
			advised->index++;
		}
	}
	spin_unlock(&advised->table->ptl);
}

static void advise_range(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			 advise_fn fn, struct list_head *list)
{
	struct advised advised = { .vma = vma, .list = list };
	struct um_pgtable *pmds;
	unsigned long addr, next;
	pte_t pmd;

	for (addr = start; (pmds = pgtable_next(vma->vm_mm, &addr, end)); addr = next) {
		next = pmd_addr_end(addr, end);
		pmd = smp_load_acquire(&pmds->e[pgtable_index(addr, 1)]);
		if (pte_is_huge(pmd) && next - addr == PMD_SIZE) {
			advised.table = pmds;
			advised.index = pgtable_index(addr, 1);
			advise_table(&advised, advised.index + 1, fn);
		} else if (pte_is_table(pmd)) {
			advised.table = pte_table(pmd);
			advised.index = pgtable_index(addr, 0);
			advise_table(&advised, advised.index + ((next - addr) >> PAGE_SHIFT), fn);
		}
	}
}

/* -- MADV_FREE --------------------------------------------------------------------- */

/*
 * A folio that is clean, and not backed by swap, may be dropped by reclaim. A write
 * makes its entry dirty, and takes that back.
 */
static void free_folio(struct advised *advised)
{
	struct um_world *world = advised->vma->vm_mm->world;
	struct folio *folio = advised->folio;

	if (!folio_trylock(folio))
		return;
	if (!folio_test_swapcache(folio) || folio_free_swap(world, folio)) {
		advised_clear(advised, PTE_YOUNG | PTE_DIRTY);
		clear_bit(PG_dirty, &folio->flags);
		clear_bit(PG_swapbacked, &folio->flags);
		lru_deactivate(world, folio);
	}
	folio_unlock(folio);
}

/* Swapped out: gone at once. */
static void free_swap_entries(struct mm_struct *mm, struct um_pgtable *table, unsigned int index,
			      unsigned int end)
{
	spin_lock(&table->ptl);
	for (; index < end; index++) {
		pte_t pte = pgtable_get(table, index);

		if (!pte_is_swap(pte))
			continue;
		pgtable_set(table, index, 0);
		swap_zap(mm->world, pte_pfn(pte));
		atomic_long_dec(&mm->nr_swap);
	}
	spin_unlock(&table->ptl);
}

/**
 * madvise_free - the content may be forgotten
 * @vma: anonymous
 * @start: start of the range
 * @end: its end
 *
 * Context: mmap_lock held. Returns 0.
 */
int madvise_free(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct um_pgtable *table;
	unsigned long addr, next;

	for (addr = start; pgtable_next(vma->vm_mm, &addr, end); addr = next) {
		next = pmd_addr_end(addr, end);
		table = pgtable_find(vma->vm_mm, addr, 0);
		if (table)
			free_swap_entries(vma->vm_mm, table, pgtable_index(addr, 0),
					  pgtable_index(addr, 0) + ((next - addr) >> PAGE_SHIFT));
	}
	advise_range(vma, start, end, free_folio, NULL);
	return 0;
}

/* -- MADV_COLD, MADV_PAGEOUT ------------------------------------------------------- */

static void cool_folio(struct advised *advised)
{
	advised_clear(advised, PTE_YOUNG);
	lru_deactivate(advised->vma->vm_mm->world, advised->folio);
}

/* Let reclaim find the range first. mmap_lock held. Returns 0. */
int madvise_cold(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	advise_range(vma, start, end, cool_folio, NULL);
	return 0;
}

static void collect_folio(struct advised *advised)
{
	struct folio *folio = advised->folio;

	advised_clear(advised, PTE_YOUNG);
	if (lru_isolate(advised->vma->vm_mm->world, folio))
		list_add_tail(&folio->lru, advised->list);
}

/**
 * madvise_pageout - swap the range out
 * @vma: of which it is a part
 * @start: start of the range
 * @end: its end
 *
 * Context: mmap_lock held; may sleep. Returns 0.
 */
int madvise_pageout(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct um_world *world = vma->vm_mm->world;
	struct folio *folio, *next_folio;
	unsigned long next;

	/* Not too many isolated at a time: nobody else can reclaim those. */
	for (; start < end; start = next) {
		LIST_HEAD(list);

		next = pmd_addr_end(start, end);
		advise_range(vma, start, next, collect_folio, &list);
		list_for_each_entry_safe(folio, next_folio, &list, lru) {
			list_del_init(&folio->lru);
			reclaim_folio(world, folio);
		}
	}
	return 0;
}
