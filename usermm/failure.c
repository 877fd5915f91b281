// SPDX-License-Identifier: GPL-2.0
/*
 * Memory failure: a frame breaks, and all who map it have to know
 */
#include <stdlib.h>
#include "pgtable.h"
#include "rmap_pages.h"
#include "swap.h"

/* -- Who maps it? ------------------------------------------------------------------ */

struct victims {
	unsigned int *mm_id;
	int nr, max;
};

static bool collect_one(struct folio *folio, struct vm_area_struct *vma, unsigned long addr,
			void *data)
{
	struct page_vma_mapped_walk pvmw = { .folio = folio, .vma = vma, .address = addr };
	struct victims *victims = data;

	if (!page_vma_mapped_walk(&pvmw))
		return true;
	page_vma_mapped_walk_done(&pvmw);
	victims->mm_id[victims->nr++] = vma->vm_mm->id;
	return victims->nr < victims->max;
}

static int compare_ids(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

	return x < y ? -1 : x > y;
}

/* A walk may come to an mm more than once: KSM, and pages moved within an mm. */
static unsigned int victims_count(struct victims *victims)
{
	unsigned int count = 0;
	int i;

	qsort(victims->mm_id, victims->nr, sizeof(*victims->mm_id), compare_ids);
	for (i = 0; i < victims->nr; i++)
		count += !i || victims->mm_id[i] != victims->mm_id[i - 1];
	return count;
}

/* -- The failure ------------------------------------------------------------------- */

/*
 * Locked, of one page. The page leaves all page tables; where it is in the swap cache,
 * and swap entries name it, it stays there, and is met by who swaps it in. Returns 0, or
 * -ENOMEM with nothing done.
 */
static int fail_folio(struct um_world *world, struct folio *folio, unsigned int *nr_victims)
{
	/* fork may add some meanwhile: those are not told, as in Linux. */
	struct victims victims = { .max = folio_mapcount(folio) + 1 };
	struct rmap_walk_control rwc = {
		.arg = &victims,
		.rmap_one = collect_one,
		.anon_lock = folio_lock_anon_vma_read,
	};

	victims.mm_id = kmalloc_array(victims.max, sizeof(*victims.mm_id), GFP_KERNEL);
	if (!victims.mm_id)
		return -ENOMEM;
	set_bit(PG_hwpoison, &folio->flags);
	rmap_walk(folio, &rwc, false);
	*nr_victims = victims_count(&victims);
	kfree(victims.mm_id);

	folio_free_swap(world, folio);
	try_to_unmap(folio, TTU_HWPOISON);
	if (lru_isolate(world, folio)) {
		clear_bit(PG_isolated, &folio->flags);
		folio_put(world, folio);
	}
	return 0;
}

/* The folio mapped at an address, with a reference, or NULL. */
static struct folio *get_mapped(struct mm_struct *mm, unsigned long addr)
{
	struct folio *folio = NULL;
	struct um_pgtable *table;
	int level;

	for (level = 0; level <= 1 && !folio; level++) {
		pte_t pte;

		table = pgtable_find(mm, addr, level);
		if (!table)
			continue;
		spin_lock(&table->ptl);
		pte = pgtable_get(table, pgtable_index(addr, level));
		if (pte_normal(pte)) {
			folio = page_folio(pte_page(mm, pte));
			folio_get(folio);
		}
		spin_unlock(&table->ptl);
	}
	return folio;
}

/* One try; -EAGAIN after a split, or when the page was unmapped meanwhile. */
static int fail_once(struct mm_struct *mm, unsigned long addr, unsigned int *nr_victims)
{
	struct um_world *world = mm->world;
	struct folio *folio;
	int err;

	mmap_read_lock(mm);
	folio = get_mapped(mm, addr);
	mmap_read_unlock(mm);
	if (!folio)
		return -EFAULT;
	folio_lock(folio);
	if (!folio_test_anon(folio)) {
		err = -EINVAL;
	} else if (folio_test_large(folio)) {
		err = split_folio(world, folio);
		err = err == -EBUSY || !err ? -EAGAIN : -EBUSY;
	} else if (!folio_mapped(folio)) {
		err = -EAGAIN;
	} else {
		err = fail_folio(world, folio, nr_victims);
	}
	folio_unlock(folio);
	folio_put(world, folio);
	return err;
}

/**
 * memory_failure - the frame behind an address breaks
 * @mm: the mm
 * @addr: page aligned
 * @nr_victims: out: how many mms had it mapped
 *
 * Poison entries take the place of all its mappings. A large folio is split first.
 *
 * Context: may sleep; no lock held. Returns 0, -EFAULT (no page there), -EINVAL (not
 * anonymous), -EBUSY (a large folio in use), -ENOMEM.
 */
int memory_failure(struct mm_struct *mm, unsigned long addr, unsigned int *nr_victims)
{
	int err;

	*nr_victims = 0;
	do {
		migration_entry_wait(mm, addr);
		err = fail_once(mm, addr, nr_victims);
	} while (err == -EAGAIN);
	return err;
}
