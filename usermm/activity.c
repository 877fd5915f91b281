// SPDX-License-Identifier: GPL-2.0
/*
 * Memory accesses, and what the kernel does on its own
 */
#include "internal.h"

#define SWAPOFF_BATCH	256

/* -- Accesses ---------------------------------------------------------------------- */

/* A fault that is no access, or an access that went wrong. */
static void check_fault(struct mm_struct *mm, unsigned long addr, int err)
{
	if (err == -EHWPOISON && !atomic_long_read(&mm->world->memory_failures))
		oracle_finding(mm->world, "mm %u: %lx is poisoned, and no memory has failed",
			       mm->id, addr);
	if (!mm->model)
		return;
	mmap_read_lock(mm);
	model_resync_stack(mm->model, mm, addr);
	mmap_read_unlock(mm);
}

static int access_read(struct mm_struct *mm, unsigned long addr, u64 *content)
{
	struct um_world *world = mm->world;
	struct model_access access;
	u64 expected = 0;
	int err;

	addr &= PAGE_MASK;
	model_access_begin(mm->model, addr, &access);
	err = access_page(mm, addr, false, content);
	if (!err && mm->model) {
		atomic_long_inc(&world->reads_compared);
		if (!model_read_ok(&access, *content, &expected)) {
			atomic_long_inc(&world->reads_wrong);
			oracle_finding(world, "mm %u: read %llx at %lx, expected %llx", mm->id,
				       (unsigned long long)*content, addr,
				       (unsigned long long)expected);
		}
	}
	model_access_end(&access);
	if (err)
		check_fault(mm, addr, err);
	return err;
}

static int access_write(struct mm_struct *mm, unsigned long addr, u64 content)
{
	struct model_access access;
	int err;

	addr &= PAGE_MASK;
	model_access_begin(mm->model, addr, &access);
	err = access_page(mm, addr, true, &content);
	if (!err)
		model_write(&access, content);
	else if (err != -EFAULT)
		model_write_fault(&access);
	model_access_end(&access);
	if (err)
		check_fault(mm, addr, err);
	return err;
}

/**
 * um_read - a program reads
 * @mm: the program
 * @addr: need not be aligned
 * @content: out: what the page holds
 *
 * With config.model, a value that the program must not see is a finding.
 *
 * Returns 0, -EFAULT, -EHWPOISON, -ENOMEM.
 */
int um_read(struct mm_struct *mm, uint64_t addr, uint64_t *content)
{
	u64 token = 0;
	int err = access_read(mm, addr, &token);

	if (!err)
		*content = token;
	oracle_after_op(mm->world);
	return err;
}

/* A program writes. Returns as um_read(). */
int um_write(struct mm_struct *mm, uint64_t addr, uint64_t content)
{
	int err = access_write(mm, addr, content);

	oracle_after_op(mm->world);
	return err;
}

/**
 * um_touch - a program uses pages for whatever it does
 * @mm: the program
 * @addr: need not be aligned
 * @pages: how many
 *
 * Writes where it may, and else reads.
 *
 * Returns 0, or the first error, with the pages before it touched; see um_read().
 */
int um_touch(struct mm_struct *mm, uint64_t addr, uint64_t pages)
{
	u64 token, i;
	int err = 0;

	for (i = 0; i < pages && !err; i++, addr += PAGE_SIZE) {
		/* Any value that tells where it came from. */
		token = (u64)mm->id << 48 ^ addr;
		err = access_write(mm, addr, token);
		if (err == -EFAULT)
			err = access_read(mm, addr, &token);
	}
	oracle_after_op(mm->world);
	return err;
}

/**
 * um_touch_huge - a write fault that brings a huge page if at all possible
 * @mm: the program
 * @addr: need not be aligned
 *
 * Changes no content. Returns as um_read().
 */
int um_touch_huge(struct mm_struct *mm, uint64_t addr)
{
	struct model_access access;
	int err;

	addr &= PAGE_MASK;
	model_access_begin(mm->model, addr, &access);
	err = handle_fault(mm, addr, FAULT_WRITE | FAULT_HUGE);
	if (err != -EFAULT)
		model_write_fault(&access);
	model_access_end(&access);
	check_fault(mm, addr, err);
	oracle_after_op(mm->world);
	return err;
}

/**
 * um_set_fault_order - how large folios are that anonymous faults bring
 * @mm: the program
 * @order: 2^order pages, as far as the VMA and its empty PTEs allow
 *
 * Returns 0 or -EINVAL.
 */
int um_set_fault_order(struct mm_struct *mm, unsigned int order)
{
	if (order > HPAGE_PMD_ORDER)
		return -EINVAL;
	WRITE_ONCE(mm->fault_order, order);
	return 0;
}

/* -- Reclaim, migration, aging ----------------------------------------------------- */

/* Takes folios off the cold end of the LRU, and hands them to fn one by one. */
static long for_each_cold(struct um_world *world, long pages,
			  long (*fn)(struct um_world *world, struct folio *folio))
{
	struct folio *folio, *next;
	LIST_HEAD(list);
	long done = 0;

	lru_isolate_batch(world, pages, &list);
	list_for_each_entry_safe(folio, next, &list, lru) {
		list_del_init(&folio->lru);
		done += fn(world, folio);
	}
	oracle_after_op(world);
	return done;
}

/**
 * um_reclaim - what kswapd does
 * @world: the world
 * @pages: how many to look at, from the cold end of the LRU
 *
 * Returns pages freed.
 */
long um_reclaim(struct um_world *world, long pages)
{
	return for_each_cold(world, pages, reclaim_folio);
}

static long migrate_one(struct um_world *world, struct folio *folio)
{
	long nr = folio_nr_pages(folio);

	return migrate_folio(world, folio) ? 0 : nr;
}

/**
 * um_migrate - what compaction does: move pages to other frames
 * @world: the world
 * @pages: how many to try, from the cold end of the LRU
 *
 * Returns pages migrated.
 */
long um_migrate(struct um_world *world, long pages)
{
	return for_each_cold(world, pages, migrate_one);
}

static long age_one(struct um_world *world, struct folio *folio)
{
	bool contended = false;
	int referenced = folio_referenced(folio, false, &contended);

	lru_putback(world, folio);
	return !!referenced;
}

/**
 * um_age - what the aging of the LRU does: ask by rmap who has used pages
 * @world: the world
 * @pages: how many to look at, from the cold end of the LRU
 *
 * Returns folios that were used; they, and the others, are at the hot end now.
 */
long um_age(struct um_world *world, long pages)
{
	return for_each_cold(world, pages, age_one);
}

/* Merges identical pages of MADV_MERGEABLE memory. Returns pages merged. */
long um_ksm_scan(struct um_world *world, long pages)
{
	long merged = ksm_scan(world, pages);

	oracle_after_op(world);
	return merged;
}

/* -- swapoff ----------------------------------------------------------------------- */

struct swapoff_batch {
	unsigned long addr[SWAPOFF_BATCH];
	int nr;
};

static int swapoff_collect(struct mm_struct *mm __maybe_unused, unsigned long addr, pte_t pte,
			   void *arg)
{
	struct swapoff_batch *batch = arg;

	if (pte_is_swap(pte))
		batch->addr[batch->nr++] = addr;
	return batch->nr == SWAPOFF_BATCH;
}

/* mmap_lock held for read: VMAs and page tables stay, entries may change. */
static int swapoff_page(struct mm_struct *mm, unsigned long addr)
{
	struct um_pgtable *table = pgtable_find(mm, addr, 0);
	struct vm_area_struct *vma = vma_lookup(mm, addr);
	pte_t pte;

	if (!table || !vma)
		return 0;
	pte = pgtable_get(table, pgtable_index(addr, 0));
	return pte_is_swap(pte) ? do_swap_page(vma, addr, pte, 0) : 0;
}

static int swapoff_mm(struct mm_struct *mm)
{
	struct swapoff_batch batch;
	unsigned long addr = 0;
	int i, err = 0;

	do {
		batch.nr = 0;
		mmap_read_lock(mm);
		pgtable_for_each(mm, addr, TASK_SIZE, swapoff_collect, &batch);
		for (i = 0; i < batch.nr && !err; i++)
			err = swapoff_page(mm, batch.addr[i]);
		mmap_read_unlock(mm);
		if (batch.nr)
			addr = batch.addr[batch.nr - 1] + PAGE_SIZE;
	} while (batch.nr == SWAPOFF_BATCH && !err);
	return err;
}

/**
 * um_swapoff - bring everything back from swap
 * @world: the world
 *
 * One pass over all processes. While others swap out, or fork, entries may be left:
 * swap stays in use.
 *
 * Returns 0, or -ENOMEM when memory is full.
 */
int um_swapoff(struct um_world *world)
{
	struct mm_struct *mm = NULL;
	int err = 0;

	while ((mm = world_next_mm(world, mm))) {
		err = swapoff_mm(mm);
		if (err) {
			mmput(mm);
			break;
		}
	}
	oracle_after_op(world);
	return err;
}

/* -- Huge pages, failing memory ---------------------------------------------------- */

/* What khugepaged does for the 2 MiB around addr. Returns 0 or an error. */
int um_collapse(struct mm_struct *mm, uint64_t addr)
{
	int err = collapse_huge(mm, addr & PMD_MASK);

	oracle_after_op(mm->world);
	return err;
}

/* The folio that is mapped at addr, with a reference, or NULL. */
static struct folio *get_mapped_folio(struct mm_struct *mm, unsigned long addr)
{
	struct folio *folio = NULL;
	struct um_pgtable *table;
	int level;

	mmap_read_lock(mm);
	for (level = 0; level <= 1 && !folio; level++) {
		pte_t pte;

		table = pgtable_find(mm, addr, level);
		if (!table)
			continue;
		spin_lock(&table->ptl);
		pte = pgtable_get(table, pgtable_index(addr, level));
		if (pte_present(pte) && !(pte & PTE_SPECIAL)) {
			folio = pfn_folio(mm->world, pte_pfn(pte));
			folio_get(folio);
		}
		spin_unlock(&table->ptl);
	}
	mmap_read_unlock(mm);
	return folio;
}

/**
 * um_split_huge - split the large folio at an address into single pages
 * @mm: the program
 * @addr: need not be aligned
 *
 * Returns 0, -EFAULT (nothing is mapped), -EINVAL (not large), or another error: it
 * is in use.
 */
int um_split_huge(struct mm_struct *mm, uint64_t addr)
{
	struct um_world *world = mm->world;
	struct folio *folio = get_mapped_folio(mm, addr & PAGE_MASK);
	int err = -EINVAL;

	if (!folio)
		return -EFAULT;
	folio_lock(folio);
	if (folio_test_large(folio) && folio_test_anon(folio))
		err = split_folio(world, folio);
	folio_unlock(folio);
	folio_put(world, folio);
	oracle_after_op(world);
	return err;
}

/**
 * um_memory_failure - a frame breaks
 * @mm: a program that uses it
 * @addr: where; need not be aligned
 * @nr_victims: out: processes that had it mapped; may be NULL
 *
 * Accesses to the page end with -EHWPOISON from now on, in all of them.
 *
 * Returns 0 or an error: nothing has happened.
 */
int um_memory_failure(struct mm_struct *mm, uint64_t addr, unsigned int *nr_victims)
{
	unsigned int victims = 0;
	int err;

	/* First, as other threads may meet the poison before this returns. */
	atomic_long_inc(&mm->world->memory_failures);
	err = memory_failure(mm, addr & PAGE_MASK, &victims);
	if (nr_victims)
		*nr_victims = victims;
	oracle_after_op(mm->world);
	return err;
}
