// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables: four levels of 512 entries
 *
 * A table is reached from above without any lock: entries that point to tables are
 * published with release and read with acquire, and tables are freed after a grace
 * period. What an entry says is only good with the table's ptl held. Who holds
 * neither mmap_lock, a VMA lock, nor an anon_vma rwsem, but RCU, may have a table
 * in hand that is no longer in use: all its entries are 0 by then.
 *
 * An entry of a PMD table changes from 0 to a table or to a huge entry, from huge to
 * a table (split_huge_pmd(), in one store), to 0 by a zap or a move, and from a
 * table to 0 or to huge only in free_pgtables() and collapse_huge(), which keep out
 * everybody who might still use that table.
 */
#include "pgtable.h"

static struct kmem_cache *pgtable_cache;
static DEFINE_MUTEX(pgtable_cache_lock);

/* Once for all worlds; may be called again. */
void pgtable_init(void)
{
	mutex_lock(&pgtable_cache_lock);
	if (!pgtable_cache)
		pgtable_cache = kmem_cache_create("page_table", sizeof(struct um_pgtable), 64,
						  SLAB_PANIC, NULL);
	mutex_unlock(&pgtable_cache_lock);
}

/* Upper before lower: each level is a lock class of its own. */
static void pgtable_lock_init(struct um_pgtable *table, int level)
{
	switch (level) {
	case 0:
		spin_lock_init(&table->ptl);
		break;
	case 1:
		spin_lock_init(&table->ptl);
		break;
	case 2:
		spin_lock_init(&table->ptl);
		break;
	default:
		spin_lock_init(&table->ptl);
		break;
	}
}

/**
 * pgtable_alloc - an empty table
 * @mm: whose table it will be
 * @level: 0 for PTEs .. 3 for the top
 *
 * Context: may sleep, does not reclaim. Returns NULL when there is no memory.
 */
struct um_pgtable *pgtable_alloc(struct mm_struct *mm, int level)
{
	struct um_pgtable *table = kmem_cache_zalloc(pgtable_cache, GFP_KERNEL);

	if (!table)
		return NULL;
	pgtable_lock_init(table, level);
	table->level = level;
	atomic_long_inc(&mm->nr_ptes);
	return table;
}

void pgtable_free(struct mm_struct *mm, struct um_pgtable *table)
{
	atomic_long_dec(&mm->nr_ptes);
	kmem_cache_free(pgtable_cache, table);
}

static void pgtable_free_callback(struct rcu_head *head)
{
	kmem_cache_free(pgtable_cache, container_of(head, struct um_pgtable, rcu));
}

/* A table that is out of reach, all entries 0; lockless walks may still hold it. */
void pgtable_free_rcu(struct mm_struct *mm, struct um_pgtable *table)
{
	atomic_long_dec(&mm->nr_ptes);
	call_rcu(&table->rcu, pgtable_free_callback);
}

unsigned int pgtable_index(unsigned long addr, int level)
{
	return addr >> (PAGE_SHIFT + 9 * level) & 511;
}

static pte_t entry_acquire(const struct um_pgtable *table, unsigned long addr, int level)
{
	/* Pairs with the release in pgtable_set(): the table below is initialised. */
	return smp_load_acquire(&table->e[pgtable_index(addr, level)]);
}

struct um_pgtable *pgtable_find(struct mm_struct *mm, unsigned long addr, int level)
{
	struct um_pgtable *table = mm->pgd;
	int at;

	for (at = 3; at > level; at--) {
		pte_t entry = entry_acquire(table, addr, at);

		if (!pte_is_table(entry))
			return NULL;
		table = pte_table(entry);
	}
	return table;
}

/**
 * pgtable_find_alloc - the table that covers an address, made if it is missing
 * @mm: mmap_lock or a VMA lock held, so that no table is freed meanwhile
 * @addr: the address
 * @level: of the table wanted
 *
 * Context: may sleep, does not reclaim; no ptl held. Returns NULL when there is no
 * memory (what was made so far stays), ERR_PTR(-EEXIST) for a table of PTEs where a
 * huge PMD is.
 */
struct um_pgtable *pgtable_find_alloc(struct mm_struct *mm, unsigned long addr, int level)
{
	struct um_pgtable *table = mm->pgd, *fresh;
	int at;

	for (at = 3; at > level; at--) {
		unsigned int index = pgtable_index(addr, at);
		pte_t entry = entry_acquire(table, addr, at);

		if (pte_none(entry)) {
			fresh = pgtable_alloc(mm, at - 1);
			if (!fresh)
				return NULL;
			spin_lock(&table->ptl);
			entry = pgtable_get(table, index);
			if (pte_none(entry)) {
				entry = mk_table(fresh);
				pgtable_set(table, index, entry);
				fresh = NULL;
			}
			spin_unlock(&table->ptl);
			if (fresh)
				pgtable_free(mm, fresh);
		}
		if (!pte_is_table(entry))
			return ERR_PTR(-EEXIST);
		table = pte_table(entry);
	}
	return table;
}

struct um_pgtable *pgtable_next(struct mm_struct *mm, unsigned long *addr, unsigned long end)
{
	while (*addr < end) {
		struct um_pgtable *table = mm->pgd;
		int at;

		for (at = 3; at > 1; at--) {
			pte_t entry = entry_acquire(table, *addr, at);

			if (!pte_is_table(entry))
				break;
			table = pte_table(entry);
		}
		if (at == 1)
			return table;
		*addr = (*addr | ((1UL << (PAGE_SHIFT + 9 * at)) - 1)) + 1;
	}
	return NULL;
}

void pgtable_set(struct um_pgtable *table, unsigned int index, pte_t pte)
{
	table->used += !!pte - !!table->e[index];
	/*
	 * Release: pairs with the acquire in entry_acquire(); without it a table
	 * could be seen with the entries, and the lock, of an earlier life.
	 */
	smp_store_release(&table->e[index], pte);
}

/* -- Freeing ------------------------------------------------------------------------ */

static void free_subtree(struct mm_struct *mm, struct um_pgtable *table)
{
	unsigned int i;

	VM_BUG_ON(table->deposit);
	for (i = 0; table->used && i < 512; i++) {
		pte_t entry = table->e[i];

		/* A page here would never be unmapped again. */
		VM_BUG_ON(entry && !pte_is_table(entry));
		if (!pte_is_table(entry))
			continue;
		free_subtree(mm, pte_table(entry));
		spin_lock(&table->ptl);
		pgtable_set(table, i, 0);
		spin_unlock(&table->ptl);
	}
	pgtable_free_rcu(mm, table);
}

/* The limits of free_pgtables(); last addresses, so that nothing overflows. */
struct free_range {
	unsigned long start, last, floor, ceiling_last;
};

/* Below @table, which starts at @base and has a part of the range. */
static void free_below(struct mm_struct *mm, struct um_pgtable *table, unsigned long base,
		       const struct free_range *range)
{
	unsigned long span = 1UL << (PAGE_SHIFT + 9 * table->level);
	unsigned long end = base + 512 * span - 1;
	unsigned int i = pgtable_index(max(base, range->start), table->level);
	unsigned int stop = pgtable_index(min(end, range->last), table->level);

	for (; i <= stop; i++) {
		unsigned long first = base + i * span, last = first + span - 1;
		pte_t entry = entry_acquire(table, first, table->level);

		if (!pte_is_table(entry))
			continue;
		if (first < range->floor || last > range->ceiling_last) {
			if (table->level > 1)
				free_below(mm, pte_table(entry), first, range);
			continue;
		}
		spin_lock(&table->ptl);
		pgtable_set(table, i, 0);
		spin_unlock(&table->ptl);
		free_subtree(mm, pte_table(entry));
	}
}

/**
 * free_pgtables - free tables that no VMA needs any more
 * @mm: the mm; mmap_lock held
 * @start: start of the range that was unmapped
 * @end: its end
 * @floor: end of the VMA below, or 0
 * @ceiling: start of the VMA above, or 0 for none
 *
 * Frees every table that covers a part of [start, end) and nothing outside of
 * [floor, ceiling). Tables that neighbours share stay; faults there may run.
 *
 * Correct because: no PTE is left in the range, and the VMAs have left the reverse
 * map, so nobody looks here but lockless walks, which RCU covers; tables outside of
 * [floor, ceiling) are not touched but for entries that cover only what is inside.
 *
 * Context: may sleep.
 */
void free_pgtables(struct mm_struct *mm, unsigned long start, unsigned long end,
		   unsigned long floor, unsigned long ceiling)
{
	struct free_range range = {
		.start = start,
		.last = end - 1,
		.floor = floor,
		.ceiling_last = ceiling - 1,
	};

	if (start < end)
		free_below(mm, mm->pgd, 0, &range);
}

/* -- Looking at everything --------------------------------------------------------- */

int pgtable_for_each(struct mm_struct *mm, unsigned long start, unsigned long end,
		     int (*fn)(struct mm_struct *mm, unsigned long addr, pte_t pte, void *arg),
		     void *arg)
{
	struct um_pgtable *pmds, *table;
	unsigned long addr, next;
	int ret = 0;

	for (addr = start; !ret && (pmds = pgtable_next(mm, &addr, end)); addr = next) {
		pte_t pmd = entry_acquire(pmds, addr, 1);

		next = pmd_addr_end(addr, end);
		if (pte_is_huge(pmd))
			ret = fn(mm, addr & PMD_MASK, pmd, arg);
		if (!pte_is_table(pmd))
			continue;
		table = pte_table(pmd);
		for (; !ret && addr < next; addr += PAGE_SIZE) {
			pte_t pte = pgtable_get(table, pgtable_index(addr, 0));

			if (pte)
				ret = fn(mm, addr, pte, arg);
		}
	}
	return ret;
}

/* -- Finding a folio in a VMA ------------------------------------------------------ */

/* Is this an entry of the kind that is looked for, and of these pages? */
static bool pvmw_match(const struct page_vma_mapped_walk *pvmw, pte_t pte)
{
	if (pvmw->migration ? !pte_is_migration(pte) : !pte_normal(pte))
		return false;
	return pte_pfn(pte) - pvmw->pfn < pvmw->nr;
}

/*
 * How far to look is not taken from the VMA's numbering, which a lockless walk
 * cannot rely on: at most all pages of the folio lie ahead, and once one is found
 * it tells how many.
 */
static void pvmw_start(struct page_vma_mapped_walk *pvmw)
{
	unsigned long vm_end = READ_ONCE(pvmw->vma->vm_end);

	if (!pvmw->nr) {
		pvmw->nr = folio_nr_pages(pvmw->folio);
		pvmw->pfn = page_to_pfn(pvmw->vma->vm_mm->world, &pvmw->folio->page);
	}
	pvmw->started = true;
	pvmw->table = NULL;
	pvmw->next = pvmw->address;
	pvmw->end = min(pvmw->address + (pvmw->nr << PAGE_SHIFT), vm_end);
}

static bool pvmw_found(struct page_vma_mapped_walk *pvmw, struct um_pgtable *table,
		       unsigned int index, pte_t pte, bool huge)
{
	unsigned long left = pvmw->nr - (pte_pfn(pte) - pvmw->pfn);

	pvmw->table = table;
	pvmw->index = index;
	pvmw->pte = pte;
	pvmw->huge = huge;
	pvmw->address = huge ? pvmw->next & PMD_MASK : pvmw->next;
	pvmw->end = min(pvmw->end, pvmw->next + (left << PAGE_SHIFT));
	pvmw->next = huge ? pvmw->end : pvmw->next + PAGE_SIZE;
	return true;
}

/*
 * The PMD at ->next: found as a huge entry (returns true, locked), or sets *table
 * to what is below it, which may be NULL.
 */
static bool pvmw_pmd(struct page_vma_mapped_walk *pvmw, struct um_pgtable *pmds,
		     struct um_pgtable **table)
{
	unsigned int index = pgtable_index(pvmw->next, 1);
	pte_t pmd = entry_acquire(pmds, pvmw->next, 1);

	if (pte_is_huge(pmd)) {
		spin_lock(&pmds->ptl);
		/* It may have been split, zapped or migrated meanwhile. */
		pmd = pgtable_get(pmds, index);
		if (pte_is_huge(pmd) && pvmw_match(pvmw, pmd))
			return pvmw_found(pvmw, pmds, index, pmd, true);
		spin_unlock(&pmds->ptl);
	}
	*table = pte_is_table(pmd) ? pte_table(pmd) : NULL;
	return false;
}

/* From ->next on within one table; ->table is locked, or NULL and not yet locked. */
static bool pvmw_ptes(struct page_vma_mapped_walk *pvmw, struct um_pgtable *table,
		      unsigned long end)
{
	for (; pvmw->next < end; pvmw->next += PAGE_SIZE) {
		unsigned int index = pgtable_index(pvmw->next, 0);
		pte_t pte = pgtable_get(table, index);

		/*
		 * Unlocked, only to skip: an entry of the folio that is looked for
		 * was set before this walk began, or was copied from one which the
		 * walk has seen, or will see, under the lock; see lazy_next().
		 */
		if (!pvmw->table) {
			if (pte_none(pte))
				continue;
			spin_lock(&table->ptl);
			pvmw->table = table;
			pte = pgtable_get(table, index);
		}
		if (pvmw_match(pvmw, pte))
			return pvmw_found(pvmw, table, index, pte, false);
	}
	page_vma_mapped_walk_done(pvmw);
	return false;
}

/**
 * page_vma_mapped_walk - the next entry of a folio in a VMA
 * @pvmw: ->folio, ->vma, ->address set, the rest 0; see its definition
 *
 * Context: the VMA's anon_vma rwsem or mmap_lock held, or RCU and the caller copes
 * with missing what is moved meanwhile. Returns true with ->table locked, or false
 * with nothing locked.
 */
bool page_vma_mapped_walk(struct page_vma_mapped_walk *pvmw)
{
	struct um_pgtable *pmds, *table;
	unsigned long end;

	if (!pvmw->started)
		pvmw_start(pvmw);

	/* Go on in the table that is locked, if the last entry was not its last. */
	if (pvmw->table && !pvmw->huge && pvmw->next < pvmw->end && pvmw->next & ~PMD_MASK) {
		end = pmd_addr_end(pvmw->next, pvmw->end);
		if (pvmw_ptes(pvmw, pvmw->table, end))
			return true;
	}
	page_vma_mapped_walk_done(pvmw);

	while ((pmds = pgtable_next(pvmw->vma->vm_mm, &pvmw->next, pvmw->end))) {
		end = pmd_addr_end(pvmw->next, pvmw->end);
		if (pvmw_pmd(pvmw, pmds, &table))
			return true;
		if (table && pvmw_ptes(pvmw, table, end))
			return true;
		pvmw->next = end;
	}
	return false;
}

/* Leave early, or between two entries: the walk then goes on from ->next. */
void page_vma_mapped_walk_done(struct page_vma_mapped_walk *pvmw)
{
	if (pvmw->table)
		spin_unlock(&pvmw->table->ptl);
	pvmw->table = NULL;
}
