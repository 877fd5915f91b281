// SPDX-License-Identifier: GPL-2.0
/*
 * Large folios: split one into pages, collapse pages into one
 */
#include "pgtable.h"
#include "rmap_pages.h"
#include "swap.h"

/* -- Split ----------------------------------------------------------------------------- */

/*
 * Freeze a folio that has no mapping left: the caller has the one reference that the
 * swap cache does not account for. From then on its slots, if any, name its pages one
 * by one, which cannot be got yet.
 */
static bool split_freeze(struct um_world *world, struct folio *folio)
{
	if (folio_test_swapcache(folio))
		return swap_cache_split(world, folio);
	return folio_ref_freeze(folio, 1);
}

/* Page @i of a frozen folio becomes a folio of its own, with one reference of ours. */
static void split_tail(struct folio *folio, unsigned long i, unsigned long flags)
{
	struct folio *tail = (struct folio *)folio_page(folio, i);
	bool swapcache = flags & BIT(PG_swapcache);

	VM_BUG_ON_FOLIO(atomic_read(&tail->_mapcount), folio);
	WRITE_ONCE(tail->flags, flags);
	WRITE_ONCE(tail->index, folio_pgoff(folio) + i);
	WRITE_ONCE(tail->private, swapcache ? folio->private + i : 0);
	INIT_LIST_HEAD(&tail->lru);
	smp_store_release(&tail->mapping, READ_ONCE(folio->mapping));
	folio_ref_unfreeze(tail, swapcache ? 2 : 1);
}

/*
 * Of a frozen, unmapped folio. Tails are not locked: nobody finds one but by its swap
 * entry, and then may well map it; nor are they on the LRU yet.
 */
static void split_frozen(struct folio *folio)
{
	unsigned long keep = BIT(PG_uptodate) | BIT(PG_dirty) | BIT(PG_referenced) |
		BIT(PG_active) | BIT(PG_swapbacked) | BIT(PG_swapcache);
	unsigned long i, nr = folio_nr_pages(folio), flags = READ_ONCE(folio->flags) & keep;

	for (i = nr - 1; i; i--)
		split_tail(folio, i, flags);
	clear_bit(PG_head, &folio->flags);
	for (i = 0; i < 4; i++)
		clear_bit(PG_order_shift + i, &folio->flags);
	folio_ref_unfreeze(folio, flags & BIT(PG_swapcache) ? 2 : 1);
}

/*
 * Restore the entries of all pages in one walk over the range. Page by page it would
 * be one full walk each, as nothing says how many entries a single page had.
 */
static void split_restore(struct anon_vma *owner, pgoff_t first, struct page *page,
			  unsigned long nr, migration_note_t note)
{
	struct migration_restore restore = {
		.from = page,
		.nr = nr,
		.to = page,
		.note = note,
		.stop = anon_vma_is_lazy(owner),
	};
	struct anon_vma_walk walk;
	struct vm_area_struct *vma;

	anon_vma_walk_begin(&walk, owner, first, first + nr - 1);
	while ((vma = anon_vma_walk_next(&walk)))
		if (!restore_migration_entries(&restore, vma, walk.address))
			break;
	anon_vma_walk_end(&walk, false);
}

/* Pages that nobody maps, and that have no slot, are freed by this. */
static void split_release_tails(struct um_world *world, struct folio *folio, unsigned long nr)
{
	unsigned long i;

	for (i = 1; i < nr; i++) {
		struct folio *tail = (struct folio *)folio_page(folio, i);

		oracle_touch(world, tail);
		if (folio_mapped(tail) || folio_test_swapcache(tail))
			lru_add(world, tail);
		folio_put(world, tail);
	}
}

/**
 * split_folio - turn a large folio into folios of one page
 * @world: the world
 * @folio: locked, anonymous; the caller has one reference, which stays on the first page
 *
 * All its mappings become PTEs of single pages, in all processes.
 *
 * Correct because: the owner's rwsem is held for write from before the first entry is
 * replaced until the last is restored, so no walk with locks sees the folio half way.
 * A lockless walk may, but what it saw counts for nothing: the adjustment count, odd
 * or moved, tells it to look again or to take the lock. Whoever comes without the folio
 * lock while no entry is left finds the folio unmapped, and is right to: at that moment
 * it is. The reference count, frozen, says that nobody else looks at it; and all pages
 * keep owner and number. Entries are made by the owner's mm and its descendants; copies that fork
 * makes meanwhile are found by the restoring walk, as in migration.
 *
 * Context: may sleep. Returns 0, -EBUSY (not mapped), or -EAGAIN (in use).
 */
int split_folio(struct um_world *world, struct folio *folio)
{
	unsigned long nr = folio_nr_pages(folio);
	struct anon_vma *owner;
	migration_note_t note;
	anon_vma_tree_t tree;
	int err = -EAGAIN;

	if (!folio_test_large(folio))
		return 0;
	owner = folio_get_anon_vma(folio);
	if (!owner)
		return -EBUSY;
	tree = anon_vma_owner_tree(owner);
	anon_vma_tree_lock_write(tree);
	note = try_to_migrate(folio, TTU_SPLIT_HUGE_PMD | TTU_RMAP_LOCKED);
	if (!folio_mapped(folio) && split_freeze(world, folio)) {
		split_frozen(folio);
		err = 0;
	}
	split_restore(owner, folio_pgoff(folio), &folio->page, nr, note);
	anon_vma_tree_unlock_write(tree);
	put_anon_vma(owner);
	if (!err)
		split_release_tails(world, folio, nr);
	return err;
}

/* -- Collapse ---------------------------------------------------------------------- */

/* One collapse: what is there, and what takes its place. */
struct collapse {
	struct vm_area_struct *vma;
	unsigned long addr;		/* aligned to PMD_SIZE */
	struct um_pgtable *pmds, *table;
	struct folio *huge;
	struct um_pgtable *spare;	/* to be deposited */
};

/* May this page be copied away? Then its folio is frozen. ptl held. */
static bool collapse_freeze_page(struct mm_struct *mm, pte_t pte)
{
	struct page *page = pte_page(mm, pte);
	struct folio *folio = page_folio(page);

	return folio_test_anon(folio) && !folio_test_ksm(folio) && !folio_test_large(folio) &&
		!folio_test_swapcache(folio) && !test_bit(PG_hwpoison, &folio->flags) &&
		page_anon_exclusive(page) && folio_ref_freeze(folio, 1);
}

static void collapse_unfreeze(struct mm_struct *mm, struct um_pgtable *table, unsigned int end)
{
	unsigned int i;

	for (i = 0; i < end; i++) {
		pte_t pte = pgtable_get(table, i);

		if (pte_normal(pte))
			folio_ref_unfreeze((struct folio *)pte_page(mm, pte), 1);
	}
}

/*
 * All 512 entries must be none, the zero page, or an exclusive page that is referenced
 * by its entry alone: not locked, isolated, or looked at by anybody. Freezing it is as
 * good as its lock, and 512 of those need no room in anybody's list. Both ptls held.
 * Returns 0, -EAGAIN, or -EINVAL: there is nothing.
 */
static int collapse_freeze(struct collapse *collapse)
{
	struct mm_struct *mm = collapse->vma->vm_mm;
	unsigned int i, pages = 0;

	for (i = 0; i < HPAGE_PMD_NR; i++) {
		pte_t pte = pgtable_get(collapse->table, i);

		if (pte_none(pte) || (pte & PTE_SPECIAL))
			continue;
		if (!pte_normal(pte) || !collapse_freeze_page(mm, pte)) {
			collapse_unfreeze(mm, collapse->table, i);
			return -EAGAIN;
		}
		pages++;
	}
	return pages ? 0 : -EINVAL;
}

/* Contents go over, entries and pages go. Both ptls held. */
static void collapse_copy(struct collapse *collapse)
{
	struct mm_struct *mm = collapse->vma->vm_mm;
	unsigned int i, pages = 0;

	for (i = 0; i < HPAGE_PMD_NR; i++) {
		pte_t pte = pgtable_get(collapse->table, i);
		struct folio *folio;

		if (!pte_none(pte))
			pgtable_set(collapse->table, i, 0);
		if (!pte_normal(pte))
			continue;
		folio = (struct folio *)pte_page(mm, pte);
		WRITE_ONCE(folio_page(collapse->huge, i)->content, READ_ONCE(folio->content));
		folio_remove_rmap(folio, &folio->page, 1, false);
		oracle_touch(mm->world, folio);
		folio_ref_unfreeze(folio, 1);
		folio_put(mm->world, folio);
		pages++;
	}
	atomic_long_add(HPAGE_PMD_NR - pages, &mm->nr_anon);
}

/* Both ptls held; the table of PTEs is empty. */
static void collapse_install(struct collapse *collapse)
{
	struct vm_area_struct *vma = collapse->vma;
	struct um_world *world = vma->vm_mm->world;
	pte_t bits = PTE_PRESENT | PTE_HUGE | PTE_YOUNG | PTE_DIRTY;

	if (vma->vm_flags & VM_WRITE)
		bits |= PTE_WRITE;
	folio_add_new_anon_rmap(collapse->huge, vma, collapse->addr, true);
	lru_add(world, collapse->huge);
	pgtable_deposit(collapse->pmds, collapse->spare);
	pgtable_set(collapse->pmds, pgtable_index(collapse->addr, 1),
		    mk_pte(page_to_pfn(world, &collapse->huge->page), bits));
}

/*
 * Correct because: faults in the VMA are kept out by mmap_lock and the VMA lock, walks
 * by the anon_vma's rwsem; so nobody has the table of PTEs in hand but lockless walks,
 * which find it empty, and look again as the rwsem was taken for write.
 */
static int collapse_locked(struct collapse *collapse)
{
	anon_vma_tree_t tree = collapse->vma->anon_vma;
	int err;

	anon_vma_tree_lock_write(tree);
	spin_lock(&collapse->pmds->ptl);
	spin_lock(&collapse->table->ptl);
	err = collapse_freeze(collapse);
	if (!err) {
		collapse_copy(collapse);
		collapse_install(collapse);
	}
	spin_unlock(&collapse->table->ptl);
	spin_unlock(&collapse->pmds->ptl);
	anon_vma_tree_unlock_write(tree);
	return err;
}

/* mmap_lock held for write. Returns false when there is nothing to collapse. */
static bool collapse_find(struct mm_struct *mm, struct collapse *collapse)
{
	unsigned long addr = collapse->addr;
	struct vm_area_struct *vma = vma_lookup(mm, addr);

	if (!vma || !vma_is_anonymous(vma) || !vma->anon_vma ||
	    (vma->vm_flags & (VM_SHARED | VM_NOHUGEPAGE)) || addr + PMD_SIZE > vma->vm_end)
		return false;
	collapse->vma = vma;
	collapse->pmds = pgtable_find(mm, addr, 1);
	collapse->table = pgtable_find(mm, addr, 0);
	return collapse->table;
}

/**
 * collapse_huge - what khugepaged does: one huge page for 512 small ones
 * @mm: the mm
 * @addr: aligned to PMD_SIZE
 *
 * Context: may sleep; takes mmap_lock for write. Returns 0, -EINVAL (no VMA, huge
 * already, nothing there), -EAGAIN (pages shared, swapped out, or in use), -ENOMEM.
 */
int collapse_huge(struct mm_struct *mm, unsigned long addr)
{
	struct collapse collapse = { .addr = addr };
	int err = -ENOMEM;

	collapse.huge = folio_alloc(mm->world, HPAGE_PMD_ORDER);
	collapse.spare = pgtable_alloc(mm, 0);
	if (!collapse.huge || !collapse.spare)
		goto out;
	mmap_write_lock(mm);
	err = -EINVAL;
	if (collapse_find(mm, &collapse)) {
		vma_start_write(collapse.vma);
		err = collapse_locked(&collapse);
	}
	mmap_write_unlock(mm);
	if (!err) {
		pgtable_free_rcu(mm, collapse.table);
		return 0;
	}
out:
	if (collapse.spare)
		pgtable_free(mm, collapse.spare);
	if (collapse.huge)
		folio_put(mm->world, collapse.huge);
	return err;
}
