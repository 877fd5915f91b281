// SPDX-License-Identifier: GPL-2.0
/*
 * Migration: move a folio to other frames
 *
 * All entries that map it become migration entries, which hold no reference; faults
 * wait for them. When nobody else has a reference, content, owner and numbering go
 * to the new folio, and the entries become present ones of it. If not, they become
 * what they were.
 *
 * Between the two walks entries may be zapped, moved, split, copied by fork. The folio
 * stays locked, and its owner is pinned, so that the second walk finds them all.
 */
#include <linux/sched.h>
#include "ksm.h"
#include "pgtable.h"
#include "rmap_pages.h"
#include "swap.h"

/* How often a waiting fault just yields, and how long it sleeps between looks after that. */
#define WAIT_YIELDS	20
#define WAIT_USECS	50

/* -- Entries ----------------------------------------------------------------------- */

struct install_arg {
	enum ttu_flags flags;
	migration_note_t note;
};

/* pvmw stands on an entry; its table is locked. */
static void install_entry(struct page_vma_mapped_walk *pvmw, struct install_arg *arg)
{
	struct mm_struct *mm = pvmw->vma->vm_mm;
	struct page *page = pte_page(mm, pvmw->pte);
	struct folio *folio = pvmw->folio;
	long nr = pvmw->huge ? folio_nr_pages(folio) : 1;

	pgtable_set(pvmw->table, pvmw->index,
		    mk_migration_pte(pvmw->pte, page_anon_exclusive(page)));
	folio_remove_rmap(folio, page, nr, pvmw->huge);
	arg->note = migration_note_installed(arg->note, nr);
	oracle_touch(mm->world, folio);
	folio_put(mm->world, folio);
}

static bool install_one(struct folio *folio, struct vm_area_struct *vma, unsigned long addr,
			void *data)
{
	struct page_vma_mapped_walk pvmw = { .folio = folio, .vma = vma, .address = addr };
	struct install_arg *arg = data;

	while (page_vma_mapped_walk(&pvmw)) {
		if (pvmw.huge && (arg->flags & TTU_SPLIT_HUGE_PMD)) {
			/* The walk finds its pages next. */
			pvmw.next = pvmw.address;
			page_vma_mapped_walk_done(&pvmw);
			split_huge_pmd(vma, pvmw.address);
			pvmw.end = pvmw.address + PMD_SIZE;
			continue;
		}
		install_entry(&pvmw, arg);
	}
	return true;
}

/**
 * try_to_migrate - replace all entries that map a folio by migration entries
 * @folio: locked, with a reference of the caller's, who has pinned the owner
 * @flags: TTU_SPLIT_HUGE_PMD: page by page; TTU_RMAP_LOCKED: the owner's rwsem is held
 *
 * Bits for writing, exclusiveness and so on stay in the entries.
 *
 * Context: may sleep. Returns how many pages' worth of entries were installed, and when,
 * for remove_migration_ptes(). The caller asks folio_mapped() how it went.
 */
migration_note_t try_to_migrate(struct folio *folio, enum ttu_flags flags)
{
	struct install_arg arg = { .flags = flags, .note = migration_note_begin() };
	struct rmap_walk_control rwc = {
		.arg = &arg,
		.rmap_one = install_one,
		.done = folio_not_mapped,
		.anon_lock = folio_lock_anon_vma_read,
	};

	rmap_walk(folio, &rwc, flags & TTU_RMAP_LOCKED);
	return arg.note;
}

/* pvmw stands on a migration entry; its table is locked. */
static void restore_entry(struct page_vma_mapped_walk *pvmw, struct migration_restore *restore)
{
	struct vm_area_struct *vma = pvmw->vma;
	struct mm_struct *mm = vma->vm_mm;
	struct page *page = restore->to + (pte_pfn(pvmw->pte) - pvmw->pfn);
	struct folio *folio = page_folio(page);
	bool exclusive = pvmw->pte & PTE_EXCLUSIVE;
	long nr = pvmw->huge ? HPAGE_PMD_NR : 1;
	pte_t bits = pte_bits(pvmw->pte) & ~(pte_t)(PTE_MIGRATION | PTE_EXCLUSIVE);

	folio_get(folio);
	folio_add_anon_rmap(folio, page, nr, pvmw->huge, vma, pvmw->address, exclusive);
	pgtable_set(pvmw->table, pvmw->index,
		    mk_pte(page_to_pfn(mm->world, page), bits | PTE_PRESENT));
	restore->restored += nr;
}

bool restore_migration_entries(struct migration_restore *restore, struct vm_area_struct *vma,
			       unsigned long addr)
{
	struct page_vma_mapped_walk pvmw = {
		.vma = vma,
		.address = addr,
		.migration = true,
		.pfn = page_to_pfn(vma->vm_mm->world, restore->from),
		.nr = restore->nr,
	};

	while (page_vma_mapped_walk(&pvmw))
		restore_entry(&pvmw, restore);
	/* The lock of the last entry's table was taken: see migration_note_complete(). */
	return !restore->stop || !migration_note_complete(restore->note, restore->restored);
}

static bool restore_one(struct folio *folio, struct vm_area_struct *vma, unsigned long addr,
			void *arg)
{
	(void)folio;
	return restore_migration_entries(arg, vma, addr);
}

/**
 * remove_migration_ptes - turn migration entries into present ones
 * @src: the folio that they name
 * @dst: the folio that they shall map: @src, or one that has taken its owner and
 *	numbering over; both locked
 * @note: from try_to_migrate()
 * @locked: the owner's rwsem is held
 *
 * Nothing counts the entries that are left. In the lazy topology the note tells when
 * all are found; in the regular one, which is measured as what Linux is, and for KSM,
 * whose walk spans several owners, the walk goes to the end.
 *
 * Context: may sleep; the owner is pinned.
 */
void remove_migration_ptes(struct folio *src, struct folio *dst, migration_note_t note,
			   bool locked)
{
	struct anon_vma *owner = folio_anon_vma(dst);
	struct migration_restore restore = {
		.from = &src->page,
		.nr = folio_nr_pages(src),
		.to = &dst->page,
		.note = note,
		.stop = owner && anon_vma_is_lazy(owner),
	};
	struct rmap_walk_control rwc = {
		.arg = &restore,
		.rmap_one = restore_one,
	};

	rmap_walk(dst, &rwc, locked);
}

static bool under_migration(struct mm_struct *mm, unsigned long addr)
{
	struct um_pgtable *table;
	bool found = false;
	int level;

	rcu_read_lock();
	for (level = 1; level >= 0 && !found; level--) {
		table = pgtable_find(mm, addr, level);
		found = table &&
			pte_is_migration(pgtable_get(table, pgtable_index(addr, level)));
	}
	rcu_read_unlock();
	return found;
}

/**
 * migration_entry_wait - wait until an entry is no migration entry any more
 * @mm: the mm
 * @addr: where
 *
 * Looks again and again: a reference on the folio, to sleep on its lock, would make the
 * migration fail that is being waited for.
 *
 * Context: sleeps. No folio lock, no anon_vma rwsem held; mmap_lock may be, as
 * migration does not need it.
 */
void migration_entry_wait(struct mm_struct *mm, unsigned long addr)
{
	const unsigned int never = 0;
	int i;

	for (i = 0; under_migration(mm, addr); i++) {
		if (i < WAIT_YIELDS)
			schedule();
		else
			kshim_futex_wait_timeout(&never, 0, WAIT_USECS);
	}
}

/* -- Folios ------------------------------------------------------------------------ */

/*
 * src is frozen: nobody has a reference, nobody can get one. dst is new. The mapping
 * word comes last, by release as ever: see folio_add_new_anon_rmap().
 */
static void copy_folio(struct um_world *world, struct folio *src, struct folio *dst)
{
	static const enum pageflags kept[] = {
		PG_uptodate, PG_dirty, PG_referenced, PG_active, PG_swapbacked,
	};
	long i, nr = folio_nr_pages(src);
	size_t f;

	for (i = 0; i < nr; i++)
		WRITE_ONCE(folio_page(dst, i)->content, READ_ONCE(folio_page(src, i)->content));
	for (f = 0; f < ARRAY_SIZE(kept); f++)
		if (test_bit(kept[f], &src->flags))
			set_bit(kept[f], &dst->flags);
	WRITE_ONCE(dst->index, folio_pgoff(src));
	if (folio_test_ksm(src))
		ksm_folio_migrated(world, src, dst);
	else
		smp_store_release(&dst->mapping, READ_ONCE(src->mapping));
}

/* Both locked, src unmapped. Returns 0 or -EAGAIN: somebody else has a reference. */
static int move_to_new_folio(struct um_world *world, struct folio *src, struct folio *dst)
{
	if (folio_test_swapcache(src)) {
		/*
		 * A lookup may find dst at once, with our reference and its lock,
		 * which it waits for; so dst need not be ready.
		 */
		if (!swap_cache_replace(world, src, dst))
			return -EAGAIN;
	} else if (!folio_ref_freeze(src, 1)) {
		return -EAGAIN;
	}
	copy_folio(world, src, dst);
	folio_ref_unfreeze(src, 1);
	return 0;
}

/* Both locked. */
static int migrate_locked(struct um_world *world, struct folio *src, struct folio *dst)
{
	struct anon_vma *owner = folio_get_anon_vma(src);
	bool mapped = folio_mapped(src);
	migration_note_t note = 0;
	int err = -EAGAIN;

	/* Unmapped for good, and about to be freed. */
	if (!mapped && !folio_test_swapcache(src))
		goto out;
	if (mapped)
		note = try_to_migrate(src, 0);
	if (!folio_mapped(src))
		err = move_to_new_folio(world, src, dst);
	if (mapped)
		remove_migration_ptes(src, err ? src : dst, note, false);
	if (!err) {
		oracle_touch(world, dst);
		lru_add(world, dst);
	}
out:
	if (owner)
		put_anon_vma(owner);
	return err;
}

/**
 * migrate_folio - move a folio to other frames
 * @world: the world
 * @folio: isolated; the isolation is undone, or the folio freed
 *
 * Context: may sleep; no folio lock, anon_vma rwsem or PTE lock held. Returns 0, -ENOMEM,
 * -EAGAIN (in use), or -EHWPOISON.
 */
int migrate_folio(struct um_world *world, struct folio *folio)
{
	struct folio *dst = NULL;
	int err = -EHWPOISON;
	long nr;

	folio_lock(folio);
	nr = folio_nr_pages(folio);
	if (!test_bit(PG_hwpoison, &folio->flags)) {
		dst = folio_alloc(world, folio_order(folio));
		err = dst ? 0 : -ENOMEM;
	}
	if (!err) {
		folio_trylock(dst);	/* new: nobody else has it */
		err = migrate_locked(world, folio, dst);
		folio_unlock(dst);
	}
	folio_unlock(folio);
	if (dst)
		folio_put(world, dst);
	if (err) {
		lru_putback(world, folio);
		return err;
	}
	atomic_long_add(nr, &world->migrated);
	clear_bit(PG_isolated, &folio->flags);
	folio_put(world, folio);
	return 0;
}
