// SPDX-License-Identifier: GPL-2.0
/*
 * Faults, and the accesses that cause them
 *
 * A fault runs under the VMA lock if it can, else under mmap_lock held for read. It
 * prepares what it needs - anon_vma, page tables, a new folio - without page table
 * lock; then takes that, looks whether the entry is still what it was, and changes
 * it. If it is not, somebody else has done something there: the fault is over, and
 * whoever needs the page looks again.
 *
 * When no page is left, all locks are dropped, and reclaim has to find one.
 */
#include <linux/sched.h>
#include "fault.h"
#include "frame.h"
#include "pgtable.h"

/* How often a fault reclaims in vain before it gives up, and how many pages it wants. */
#define FAULT_RECLAIM_TRIES	16
#define FAULT_RECLAIM_BATCH	64

/**
 * fault_prepare - anon_vma_prepare() for faults
 * @vma: locked as @flags say
 * @flags: FAULT_*
 *
 * Returns 0, -ENOMEM, or FAULT_NEEDS_MMAP: the regular topology looks at neighbours.
 */
int fault_prepare(struct vm_area_struct *vma, unsigned int flags)
{
	/*
	 * Acquire: pairs with the release of those who set it. Without it the
	 * chain entry of a displaced VMA could be seen half made.
	 */
	if (likely(smp_load_acquire(&vma->anon_vma)))
		return 0;
	if ((flags & FAULT_VMA_LOCK) && vma->vm_mm->topology->prepare_needs_mmap_lock)
		return FAULT_NEEDS_MMAP;
	return anon_vma_prepare(vma);
}

static pte_t anon_pte(const struct vm_area_struct *vma, unsigned long pfn)
{
	return mk_pte(pfn, PTE_PRESENT | PTE_YOUNG | PTE_DIRTY |
		      (vma->vm_flags & VM_WRITE ? PTE_WRITE : 0));
}

/* -- Anonymous memory -------------------------------------------------------------- */

static bool range_is_none(const struct um_pgtable *table, unsigned int index, unsigned long nr)
{
	while (nr--)
		if (!pte_none(pgtable_get(table, index + nr)))
			return false;
	return true;
}

/*
 * A folio of the order that the mm asks for, where it fits into the VMA and nothing
 * is mapped; else, or when there is none in one piece, one page. Moves *addr to its
 * start.
 */
static struct folio *anon_folio_alloc(struct vm_area_struct *vma, struct um_pgtable *table,
				      unsigned long *addr)
{
	unsigned int order = min(READ_ONCE(vma->vm_mm->fault_order), HPAGE_PMD_ORDER - 1U);
	unsigned long size = PAGE_SIZE << order, start = *addr & ~(size - 1);
	struct folio *folio;

	if (order && !(vma->vm_flags & VM_NOHUGEPAGE) && start >= vma->vm_start &&
	    start + size <= vma->vm_end &&
	    range_is_none(table, pgtable_index(start, 0), 1UL << order)) {
		folio = folio_alloc(vma->vm_mm->world, order);
		if (folio) {
			*addr = start;
			return folio;
		}
	}
	return folio_alloc(vma->vm_mm->world, 0);
}

/* Reading what was never written: the zero page, which has no rmap. */
static int do_zero_page(struct vm_area_struct *vma, unsigned long addr, struct um_pgtable *table)
{
	struct um_world *world = vma->vm_mm->world;
	unsigned int index = pgtable_index(addr, 0);

	spin_lock(&table->ptl);
	if (pte_none(pgtable_get(table, index)))
		pgtable_set(table, index, mk_pte(page_to_pfn(world, &world->zero_folio->page),
						 PTE_PRESENT | PTE_SPECIAL | PTE_YOUNG));
	spin_unlock(&table->ptl);
	return 0;
}

static int do_anonymous_page(struct vm_area_struct *vma, unsigned long addr,
			     struct um_pgtable *table, unsigned int flags)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned int index;
	struct folio *folio;
	long nr, i;
	int ret;
	pte_t pte;

	if (!(flags & FAULT_WRITE))
		return do_zero_page(vma, addr, table);
	ret = fault_prepare(vma, flags);
	if (ret)
		return ret;
	folio = anon_folio_alloc(vma, table, &addr);
	if (!folio)
		return -ENOMEM;
	nr = folio_nr_pages(folio);
	index = pgtable_index(addr, 0);
	pte = anon_pte(vma, page_to_pfn(mm->world, &folio->page));

	spin_lock(&table->ptl);
	if (!range_is_none(table, index, nr)) {
		spin_unlock(&table->ptl);
		folio_put(mm->world, folio);
		return 0;
	}
	/* One reference for each entry. */
	if (nr > 1)
		atomic_add(nr - 1, &folio->_refcount);
	folio_add_new_anon_rmap(folio, vma, addr, true);
	lru_add(mm->world, folio);
	for (i = 0; i < nr; i++)
		pgtable_set(table, index + i, pte_advance(pte, i));
	spin_unlock(&table->ptl);
	atomic_long_add(nr, &mm->nr_anon);
	return 0;
}

/* -- Copy on write ----------------------------------------------------------------- */

/**
 * fault_can_reuse - is the mapping that faults the only user of a folio?
 * @world: whose folio it is
 * @folio: anonymous, mapped by the faulting entry, whose table is locked
 *
 * Asks for the last reference, after the swap cache has been told to let go. Nobody
 * can share the page meanwhile: fork needs the table's lock, the swap cache the
 * folio's. As in Linux neither for KSM pages nor for pages of large folios mapped
 * by PTEs.
 *
 * On true the folio is locked.
 */
bool fault_can_reuse(struct um_world *world, struct folio *folio)
{
	if (folio_test_ksm(folio) || folio_ref_count(folio) > 1 + folio_swapcache_refs(folio))
		return false;
	if (!folio_trylock(folio))
		return false;
	if (folio_test_swapcache(folio))
		folio_free_swap(world, folio);
	if (folio_ref_count(folio) == 1 && !folio_test_ksm(folio))
		return true;
	folio_unlock(folio);
	return false;
}

/* A page mapped read-only here: may it just be made writable? ptl held. */
static bool wp_reuse(struct vm_area_struct *vma, struct um_pgtable *table, unsigned int index,
		     pte_t pte)
{
	struct page *page = pte_page(vma->vm_mm, pte);
	struct folio *folio = page_folio(page);

	if (!pte_normal(pte) || !folio_test_anon(folio))
		return false;
	if (!page_anon_exclusive(page)) {
		if (folio_test_large(folio) || !fault_can_reuse(vma->vm_mm->world, folio))
			return false;
		folio_move_anon_rmap(folio, vma);
		set_bit(PG_anon_exclusive, &page->flags);
		folio_unlock(folio);
		oracle_touch(vma->vm_mm->world, folio);
	}
	pgtable_set(table, index, pte | PTE_WRITE | PTE_DIRTY | PTE_YOUNG);
	return true;
}

/* Replace the entry at @index by one of @folio, new. ptl held. */
static void wp_install_copy(struct vm_area_struct *vma, unsigned long addr,
			    struct um_pgtable *table, pte_t old_pte, struct folio *folio)
{
	struct mm_struct *mm = vma->vm_mm;
	struct page *old = pte_page(mm, old_pte);
	struct folio *old_folio = page_folio(old);

	WRITE_ONCE(folio->content, READ_ONCE(old->content));
	folio_add_new_anon_rmap(folio, vma, addr, true);
	lru_add(mm->world, folio);
	pgtable_set(table, pgtable_index(addr, 0),
		    anon_pte(vma, page_to_pfn(mm->world, &folio->page)));
	if (pte_normal(old_pte) && folio_test_anon(old_folio)) {
		folio_remove_rmap(old_folio, old, 1, false);
		oracle_touch(mm->world, old_folio);
		folio_put(mm->world, old_folio);
		return;
	}
	atomic_long_inc(&mm->nr_anon);
	if (pte_normal(old_pte)) {
		folio_remove_rmap(old_folio, old, 1, false);
		folio_put(mm->world, old_folio);
	}
}

/**
 * fault_copy - give an entry a page of its own
 * @vma: private, locked as @flags say
 * @addr: where
 * @pte: what the entry was, present: the zero page, a file's page, a shared
 *	anonymous page, a KSM page
 * @flags: FAULT_*
 *
 * The content is taken with the lock of the page table held, under which the entry
 * was read-only.
 *
 * Context: may sleep. Returns 0, also when the entry has changed meanwhile, or as
 * fault_prepare().
 */
int fault_copy(struct vm_area_struct *vma, unsigned long addr, pte_t pte, unsigned int flags)
{
	struct mm_struct *mm = vma->vm_mm;
	struct um_pgtable *table = pgtable_find(mm, addr, 0);
	struct folio *folio;
	int ret = fault_prepare(vma, flags);

	if (ret || !table)
		return ret;
	folio = folio_alloc(mm->world, 0);
	if (!folio)
		return -ENOMEM;
	spin_lock(&table->ptl);
	if (pgtable_get(table, pgtable_index(addr, 0)) == pte) {
		wp_install_copy(vma, addr, table, pte, folio);
		folio = NULL;
	}
	spin_unlock(&table->ptl);
	if (folio)
		folio_put(mm->world, folio);
	return 0;
}

/* A write to a present entry that does not allow it; the VMA does. */
static int do_wp_page(struct vm_area_struct *vma, unsigned long addr, struct um_pgtable *table,
		      pte_t pte, unsigned int flags)
{
	unsigned int index = pgtable_index(addr, 0);
	bool done = true;

	spin_lock(&table->ptl);
	if (pgtable_get(table, index) == pte) {
		if (vma->vm_flags & VM_SHARED)
			pgtable_set(table, index, pte | PTE_WRITE | PTE_DIRTY | PTE_YOUNG);
		else
			done = wp_reuse(vma, table, index, pte);
	}
	spin_unlock(&table->ptl);
	return done ? 0 : fault_copy(vma, addr, pte, flags);
}

/* -- Files ------------------------------------------------------------- */

/* A private mapping's first access is a write: the copy is made at once. */
static int do_cow_file(struct vm_area_struct *vma, unsigned long addr, struct um_pgtable *table,
		       struct folio *cache, unsigned int flags)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned int index = pgtable_index(addr, 0);
	struct folio *folio;
	int ret = fault_prepare(vma, flags);

	if (ret)
		return ret;
	folio = folio_alloc(mm->world, 0);
	if (!folio)
		return -ENOMEM;
	WRITE_ONCE(folio->content, READ_ONCE(cache->content));
	spin_lock(&table->ptl);
	if (pte_none(pgtable_get(table, index))) {
		folio_add_new_anon_rmap(folio, vma, addr, true);
		lru_add(mm->world, folio);
		pgtable_set(table, index, anon_pte(vma, page_to_pfn(mm->world, &folio->page)));
		atomic_long_inc(&mm->nr_anon);
		folio = NULL;
	}
	spin_unlock(&table->ptl);
	if (folio)
		folio_put(mm->world, folio);
	return 0;
}

static bool is_device(const struct vm_area_struct *vma)
{
	return vma->vm_file && vma->vm_file->kind == UM_FILE_DEVICE;
}

/*
 * Map the page cache's folio. A device's page is nobody's: no count, no reference,
 * the file keeps it as long as a VMA keeps the file.
 */
static void map_file_folio(struct vm_area_struct *vma, unsigned long addr,
			   struct um_pgtable *table, struct folio *cache)
{
	unsigned int index = pgtable_index(addr, 0);
	pte_t bits = PTE_PRESENT | PTE_YOUNG;

	if (is_device(vma))
		bits |= PTE_SPECIAL;
	if ((vma->vm_flags & VM_SHARED) && (vma->vm_flags & VM_WRITE))
		bits |= PTE_WRITE | PTE_DIRTY;
	spin_lock(&table->ptl);
	if (pte_none(pgtable_get(table, index))) {
		if (!is_device(vma)) {
			folio_get(cache);
			folio_add_file_rmap(cache, &cache->page);
		}
		pgtable_set(table, index,
			    mk_pte(page_to_pfn(vma->vm_mm->world, &cache->page), bits));
	}
	spin_unlock(&table->ptl);
}

static int do_file_fault(struct vm_area_struct *vma, unsigned long addr,
			 struct um_pgtable *table, unsigned int flags)
{
	pgoff_t pgoff = vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
	struct folio *cache = file_get_folio(vma->vm_file, pgoff);
	int ret = 0;

	if (!cache)
		return -ENOMEM;
	if ((flags & FAULT_WRITE) && !(vma->vm_flags & VM_SHARED))
		ret = do_cow_file(vma, addr, table, cache, flags);
	else
		map_file_folio(vma, addr, table, cache);
	folio_put(vma->vm_mm->world, cache);
	return ret;
}

/* -- The fault ------------------------------------------------------------- */

/* The entry is present and allows the access. */
static void mark_accessed(struct um_pgtable *table, unsigned int index, pte_t pte,
			  unsigned int flags)
{
	pte_t bits = PTE_YOUNG | (flags & FAULT_WRITE ? PTE_DIRTY : 0);

	if ((pte & bits) == bits)
		return;
	spin_lock(&table->ptl);
	if (pgtable_get(table, index) == pte)
		pgtable_set(table, index, pte | bits);
	spin_unlock(&table->ptl);
}

static int pte_fault(struct vm_area_struct *vma, unsigned long addr, struct um_pgtable *table,
		     unsigned int flags)
{
	unsigned int index = pgtable_index(addr, 0);
	pte_t pte = pgtable_get(table, index);
	int ret;

	if (pte_none(pte)) {
		if (vma_is_anonymous(vma))
			return do_anonymous_page(vma, addr, table, flags);
		return do_file_fault(vma, addr, table, flags);
	}
	if (pte_is_swap(pte)) {
		ret = do_swap_page(vma, addr, pte, flags);
		if (ret || !(flags & FAULT_WRITE))
			return ret;
		pte = pgtable_get(table, index);
	}
	if (pte_is_migration(pte))
		return -EAGAIN;
	if (pte_is_poison(pte))
		return -EHWPOISON;
	if (!pte_present(pte))
		return 0;
	if ((flags & FAULT_WRITE) && !pte_write(pte))
		return do_wp_page(vma, addr, table, pte, flags);
	mark_accessed(table, index, pte, flags);
	return 0;
}

static bool wants_huge(struct vm_area_struct *vma, unsigned long addr, unsigned int flags)
{
	unsigned long start = addr & PMD_MASK;

	/* Reading what was never written takes the zero page, a small one. */
	if (!(flags & FAULT_HUGE) && (!(vma->vm_flags & VM_HUGEPAGE) || !(flags & FAULT_WRITE)))
		return false;
	return vma_is_anonymous(vma) && !(vma->vm_flags & VM_NOHUGEPAGE) &&
		start >= vma->vm_start && start + PMD_SIZE <= vma->vm_end;
}

/* One try, in a VMA that is locked and allows the access. See fault.h. */
static int vma_fault(struct vm_area_struct *vma, unsigned long addr, unsigned int flags)
{
	struct mm_struct *mm = vma->vm_mm;
	struct um_pgtable *pmds, *table;
	pte_t pmd;
	int ret;

	atomic_long_inc(&mm->world->faults);
	pmds = pgtable_find_alloc(mm, addr, 1);
	if (!pmds)
		return -ENOMEM;
	pmd = smp_load_acquire(&pmds->e[pgtable_index(addr, 1)]);
	if (pte_none(pmd) && wants_huge(vma, addr, flags)) {
		ret = do_huge_anonymous(vma, addr, pmds, flags);
		if (ret != FAULT_FALLBACK)
			return ret;
	} else if (pte_is_huge(pmd)) {
		ret = do_huge_fault(vma, addr, pmds, flags);
		if (ret != FAULT_FALLBACK)
			return ret;
	}
	table = pgtable_find_alloc(mm, addr, 0);
	if (!table)
		return -ENOMEM;
	if (IS_ERR(table))
		return -EAGAIN;
	return pte_fault(vma, addr, table, flags);
}

/* -- Accesses ------------------------------------------------------------- */

/*
 * Read or write the page behind an entry, as the processor would. With the lock of
 * its table held, so that it happens wholly before or wholly after whatever else
 * changes the entry. Returns -EAGAIN when the entry does not allow it.
 */
static int access_entry(struct mm_struct *mm, struct um_pgtable *table, unsigned long addr,
			unsigned int flags, u64 *content)
{
	pte_t need = PTE_PRESENT | (flags & FAULT_WRITE ? PTE_WRITE : 0);
	pte_t mark = PTE_YOUNG | (flags & FAULT_WRITE ? PTE_DIRTY : 0);
	unsigned int index = pgtable_index(addr, table->level);
	struct page *page;
	int ret = -EAGAIN;
	pte_t pte;

	spin_lock(&table->ptl);
	pte = pgtable_get(table, index);
	/* At the level of PMDs it may be a table by now. */
	if ((pte & need) == need && (!table->level || pte_is_huge(pte))) {
		page = pte_page(mm, pte);
		if (table->level)
			page += pgtable_index(addr, 0);
		if (flags & FAULT_WRITE)
			WRITE_ONCE(page->content, *content);
		else
			*content = READ_ONCE(page->content);
		if ((pte & mark) != mark)
			pgtable_set(table, index, pte | mark);
		ret = 0;
	}
	spin_unlock(&table->ptl);
	return ret;
}

static int vma_access(struct vm_area_struct *vma, unsigned long addr, unsigned int flags,
		      u64 *content)
{
	struct um_pgtable *pmds = pgtable_find(vma->vm_mm, addr, 1);
	pte_t pmd;

	if (!pmds)
		return -EAGAIN;
	pmd = smp_load_acquire(&pmds->e[pgtable_index(addr, 1)]);
	if (pte_is_table(pmd))
		return access_entry(vma->vm_mm, pte_table(pmd), addr, flags, content);
	if (pte_is_huge(pmd))
		return access_entry(vma->vm_mm, pmds, addr, flags, content);
	return -EAGAIN;
}

static bool vma_allows(const struct vm_area_struct *vma, unsigned int flags)
{
	return vma->vm_flags & (flags & FAULT_WRITE ? VM_WRITE : VM_READ | VM_WRITE | VM_EXEC);
}

/* Fault if need be, then access if @content is not NULL. The VMA is locked. */
static int fault_and_access(struct vm_area_struct *vma, unsigned long addr, unsigned int flags,
			    u64 *content)
{
	int ret;

	if (!vma_allows(vma, flags))
		return -EFAULT;
	for (;;) {
		if (content) {
			ret = vma_access(vma, addr, flags, content);
			if (ret != -EAGAIN)
				return ret;
		}
		ret = vma_fault(vma, addr, flags);
		/* Reclaim may have been quicker than we: then fault again. */
		if (ret || !content)
			return ret;
	}
}

static int fault_under_vma_lock(struct mm_struct *mm, unsigned long addr, unsigned int flags,
				u64 *content)
{
	struct vm_area_struct *vma = lock_vma_under_rcu(mm, addr);
	int ret;

	if (!vma)
		return FAULT_NEEDS_MMAP;
	ret = fault_and_access(vma, addr, flags | FAULT_VMA_LOCK, content);
	vma_end_read(vma);
	return ret;
}

static int fault_under_mmap_lock(struct mm_struct *mm, unsigned long addr, unsigned int flags,
				 u64 *content)
{
	struct vm_area_struct *vma;
	int ret;

	mmap_read_lock(mm);
	vma = find_vma(mm, addr);
	if (vma && vma->vm_start <= addr) {
		ret = fault_and_access(vma, addr, flags, content);
		mmap_read_unlock(mm);
		return ret;
	}
	ret = vma && (vma->vm_flags & VM_GROWSDOWN) ? 0 : -EFAULT;
	mmap_read_unlock(mm);
	if (ret)
		return ret;
	/* A stack may grow: it, or whatever is there by then, decides. */
	mmap_write_lock(mm);
	ret = expand_stack(mm, addr);
	mmap_write_unlock(mm);
	return ret ? ret : -EAGAIN;
}

/*
 * There was no page. Nothing is held. What this frees others may be quicker to take; what
 * others have isolated this does not find. Returns false when it is pointless to go on.
 */
static bool fault_reclaim(struct um_world *world, int *tries)
{
	if (reclaim_pages(world, FAULT_RECLAIM_BATCH) > 0) {
		*tries = 0;
		return true;
	}
	schedule();
	return ++*tries <= FAULT_RECLAIM_TRIES;
}

static int fault(struct mm_struct *mm, unsigned long addr, unsigned int flags, u64 *content)
{
	unsigned long failures;
	int ret, tries = 0;

	addr &= PAGE_MASK;
	if (addr >= TASK_SIZE)
		return -EFAULT;
	for (;;) {
		failures = frames_failures();
		ret = fault_under_vma_lock(mm, addr, flags, content);
		if (ret == FAULT_NEEDS_MMAP)
			ret = fault_under_mmap_lock(mm, addr, flags, content);
		if (ret == -EAGAIN)
			migration_entry_wait(mm, addr);
		else if (ret != -ENOMEM || failures == frames_failures() ||
			 !fault_reclaim(mm->world, &tries))
			return ret;
	}
}

/**
 * handle_fault - make an address accessible
 * @mm: the address space
 * @addr: need not be aligned
 * @flags: FAULT_WRITE, FAULT_HUGE
 *
 * Context: may sleep, and reclaim; no lock held. Returns 0, -EFAULT (no VMA, or no
 * permission), -ENOMEM, or -EHWPOISON.
 */
int handle_fault(struct mm_struct *mm, unsigned long addr, unsigned int flags)
{
	return fault(mm, addr, flags, NULL);
}

/**
 * access_page - read or write as a program does
 * @mm: the address space
 * @addr: need not be aligned
 * @write: write
 * @content: what to write, or where to put what was read
 *
 * Context and return value: as handle_fault().
 */
int access_page(struct mm_struct *mm, unsigned long addr, bool write, u64 *content)
{
	return fault(mm, addr, write ? FAULT_WRITE : 0, content);
}
