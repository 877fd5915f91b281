// SPDX-License-Identifier: GPL-2.0
/*
 * Walking the anonymous reverse map
 *
 * One loop for all topologies: get and lock the owner, step from VMA to VMA,
 * call back. The steps of the regular topology (chain entries in an interval
 * tree) are here; those of the lazy topology are in anon_vma_lazy_walk.c.
 */
#include <linux/rmap_walk.h>
#include <linux/anon_vma_lazy.h>
#include <linux/export.h>

/*
 * Counts the migration entries that forks have copied, see rmap_walk.h.
 * Incremented under the lock of the page table that holds the source entry.
 */
atomic64_t anon_vma_copy_clock = ATOMIC64_INIT(0);

/**
 * anon_vma_walk_begin - start a walk over a range of anon offsets
 * @walk: the walk; set ->try_lock afterwards to never wait for a lock
 * @owner: where to start; locked by the caller
 * @first: first anon offset
 * @last: last anon offset, inclusive
 */
void anon_vma_walk_begin(struct anon_vma_walk *walk, struct anon_vma *owner,
			 pgoff_t first, pgoff_t last)
{
	/* One by one: to clear all of it takes longer than the rest of a short walk. */
	walk->owner = owner;
	walk->first = first;
	walk->last = last;
	walk->by_address = false;
	walk->try_lock = false;
	walk->contended = false;
	walk->wait = false;
	walk->pinned = false;
	walk->owner_pinned = false;
	walk->stage = 0;
	walk->at = NULL;
	walk->mm = NULL;
	walk->avc = NULL;
	walk->batch = NULL;
	walk->next_address = 0;
}

/**
 * anon_vma_walk_begin_address - start a walk for one virtual address
 * @walk: the walk
 * @owner: where to start; locked by the caller
 * @address: page aligned; every VMA below @owner that covers it is visited
 *
 * For KSM, whose pages have no anon offset.
 */
void anon_vma_walk_begin_address(struct anon_vma_walk *walk, struct anon_vma *owner,
				 unsigned long address)
{
	anon_vma_walk_begin(walk, owner, 0, ULONG_MAX);
	walk->by_address = true;
	walk->wanted = address;
}

/**
 * anon_vma_walk_next - the next VMA that may map the range
 * @walk: the walk
 *
 * May sleep, unless the walk only tries locks. Returns NULL at the end, and
 * when a lock was not to be had (then walk->contended is set).
 */
struct vm_area_struct *anon_vma_walk_next(struct anon_vma_walk *walk)
{
	return anon_vma_walk_step(walk->owner, walk);
}

/**
 * anon_vma_walk_end - let go of what a walk holds
 * @walk: the walk, wherever it stands
 * @unlock: unlock the owner, which is locked for read
 *
 * May sleep. With @unlock false the caller keeps its lock, and has a reference
 * of its own on the owner: this may drop one, and the last one must not be
 * dropped under the owner's lock.
 */
void anon_vma_walk_end(struct anon_vma_walk *walk, bool unlock)
{
	struct anon_vma *owner = walk->owner;

	anon_vma_walk_finish(owner, walk);
	if (unlock)
		anon_vma_unlock_read(owner);
	/*
	 * Only now: if all descendants went away under this walk, this may free
	 * the owner, which waits for readers of its lock.
	 */
	if (walk->owner_pinned) {
		walk->owner_pinned = false;
		put_anon_vma(owner);
	}
}

/**
 * chain_walk_next - step of the regular topology
 * @walk: the walk
 *
 * By chain entries. A walk for an address has to look at all of them.
 */
struct vm_area_struct *chain_walk_next(struct anon_vma_walk *walk)
{
	struct vm_area_struct *vma;

	for (;;) {
		if (!walk->avc)
			walk->avc = anon_vma_interval_tree_iter_first(&walk->owner->rb_root,
								      walk->first, walk->last);
		else
			walk->avc = anon_vma_interval_tree_iter_next(walk->avc, walk->first,
								     walk->last);
		if (!walk->avc)
			return NULL;
		vma = walk->avc->vma;
		if (!walk->by_address) {
			walk->address = vma_range_address(vma, vma->vm_pgoff,
							  walk->first, walk->last);
			VM_WARN_ON_ONCE(walk->address == (unsigned long)-EFAULT);
			return vma;
		}
		if (walk->wanted >= vma->vm_start && walk->wanted < vma->vm_end) {
			walk->address = walk->wanted;
			return vma;
		}
		cond_resched();
	}
}

/*
 * The default way to the owner. Unlike folio_lock_anon_vma_read() it does not
 * ask whether the folio is mapped: a folio whose PTEs are all migration entries
 * is not. So the caller has made sure that the owner lives: it holds a
 * reference, or the mmap_lock of an mm that maps the folio.
 */
static struct anon_vma *rmap_walk_anon_lock(struct folio *folio, struct rmap_walk_control *rwc)
{
	struct anon_vma *anon_vma;

	if (rwc->anon_lock)
		return rwc->anon_lock(folio, rwc);

	anon_vma = folio_anon_vma(folio);
	if (!anon_vma || anon_vma_trylock_read(anon_vma))
		return anon_vma;
	if (rwc->try_lock) {
		rwc->contended = true;
		return NULL;
	}
	anon_vma_lock_read(anon_vma);
	return anon_vma;
}

/**
 * rmap_walk_anon - visit every VMA that may map an anonymous folio
 * @folio: the folio; locked, unless rwc->anon_lock revalidates what it finds
 * @rwc: what to call, and how
 * @locked: the caller holds the owner's rwsem, and a reference on the owner
 *
 * Each VMA that holds, or may hold, a page of the folio is visited once, with
 * the address of the first such page in it: a large folio may span several VMAs
 * of one mm. Ends early when a callback says so.
 *
 * Context: may sleep. The callbacks run under the rwsem of the owner and of the
 * anon_vma that the visited VMA belongs to, or, when rwc->restart is set, maybe
 * under RCU alone.
 */
void rmap_walk_anon(struct folio *folio, struct rmap_walk_control *rwc, bool locked)
{
	struct vm_area_struct *vma;
	struct anon_vma_walk walk;
	struct anon_vma *owner;
	pgoff_t first;

	if (!locked && rwc->restart && lazy_rmap_walk_lockless(folio, rwc))
		return;

	if (locked) {
		owner = folio_anon_vma(folio);
		VM_WARN_ON_ONCE_FOLIO(!owner, folio);
	} else {
		owner = rmap_walk_anon_lock(folio, rwc);
	}
	if (!owner)
		return;

	first = folio_pgoff(folio);
	anon_vma_walk_begin(&walk, owner, first, first + folio_nr_pages(folio) - 1);
	walk.try_lock = rwc->try_lock;
	while ((vma = anon_vma_walk_next(&walk))) {
		cond_resched();
		if (!rmap_walk_visit(folio, rwc, vma, walk.address))
			break;
	}
	if (walk.contended)
		rwc->contended = true;
	anon_vma_walk_end(&walk, !locked);
}
