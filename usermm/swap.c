// SPDX-License-Identifier: GPL-2.0
/*
 * Swap: slots, and the cache of pages that have one
 *
 * A slot holds the content of a page, the number of page table entries that name it,
 * and the folio in the swap cache whose page it belongs to, if there is one. It is
 * free when it has neither entries nor a folio.
 *
 * Slots come in clusters of 512, which are made as needed. A large folio takes an
 * aligned run of slots. A cluster gives out runs of one length until it is empty
 * again, so that single slots do not spoil it for large folios.
 *
 * Locks: area->lock for everything here, a leaf. A folio enters and leaves the cache
 * with its lock held; so while it is locked, what it is for a slot stays.
 */
#include <linux/spinlock.h>
#include "fault.h"
#include "pgtable.h"
#include "swap.h"

#define CLUSTER_SLOTS	512UL
#define LEAF_CLUSTERS	512UL
#define NR_LEAVES	512UL	/* 128 Mi slots */

struct swap_slot {
	u64 content;
	struct folio *cache;
	unsigned int count;
	bool ksm;	/* an entry was KSM when swapped out: unrelated processes may have some */
};

struct swap_cluster {
	struct list_head node;		/* in area->partial[order] or area->empty, or alone */
	DECLARE_BITMAP(used, CLUSTER_SLOTS);
	unsigned int nr_used;
	unsigned int order;
	unsigned long base;
	struct swap_slot slot[CLUSTER_SLOTS];
};

struct swap_area {
	spinlock_t lock;		/* all below */
	struct swap_cluster **leaf[NR_LEAVES];
	unsigned long nr_clusters;
	struct list_head partial[HPAGE_PMD_ORDER + 1];
	struct list_head empty;
	u64 named;			/* slots that entries name */
};

static struct swap_cluster *slot_cluster(struct swap_area *area, unsigned long slot)
{
	unsigned long nr = slot / CLUSTER_SLOTS;

	return area->leaf[nr / LEAF_CLUSTERS][nr % LEAF_CLUSTERS];
}

static struct swap_slot *slot_at(struct swap_area *area, unsigned long slot)
{
	return &slot_cluster(area, slot)->slot[slot % CLUSTER_SLOTS];
}

/* -- Clusters ------------------------------------------------------------------------ */

/* lock held. */
static bool cluster_insert(struct swap_area *area, struct swap_cluster *cluster,
			   struct swap_cluster ***leaf)
{
	unsigned long nr = area->nr_clusters;

	if (nr == NR_LEAVES * LEAF_CLUSTERS)
		return false;
	if (!area->leaf[nr / LEAF_CLUSTERS]) {
		area->leaf[nr / LEAF_CLUSTERS] = *leaf;
		*leaf = NULL;
	}
	area->leaf[nr / LEAF_CLUSTERS][nr % LEAF_CLUSTERS] = cluster;
	area->nr_clusters++;
	cluster->base = nr * CLUSTER_SLOTS;
	list_add(&cluster->node, &area->empty);
	return true;
}

/* A further cluster. Returns false when there is no memory. */
static bool swap_grow(struct swap_area *area)
{
	struct swap_cluster *cluster = kzalloc(sizeof(*cluster), GFP_KERNEL);
	struct swap_cluster **leaf = kcalloc(LEAF_CLUSTERS, sizeof(*leaf), GFP_KERNEL);
	bool grown = false;

	if (cluster && leaf) {
		spin_lock(&area->lock);
		grown = cluster_insert(area, cluster, &leaf);
		spin_unlock(&area->lock);
	}
	if (!grown)
		kfree(cluster);
	kfree(leaf);
	return grown;
}

/* An aligned run of 2^order free slots, or CLUSTER_SLOTS. */
static unsigned long cluster_find(const struct swap_cluster *cluster, unsigned int order)
{
	unsigned long nr = 1UL << order, at;

	if (!order)
		return find_first_zero_bit(cluster->used, CLUSTER_SLOTS);
	for (at = 0; at < CLUSTER_SLOTS; at += nr)
		if (find_next_bit(cluster->used, at + nr, at) == at + nr)
			return at;
	return CLUSTER_SLOTS;
}

/*
 * lock held. A cluster without room leaves its list until a slot of it is freed, so
 * that the search is paid for once. Returns the first slot or -ENOSPC.
 */
static long swap_take(struct swap_area *area, unsigned int order)
{
	struct swap_cluster *cluster;
	unsigned long at, i;

	for (;;) {
		cluster = list_first_entry_or_null(&area->partial[order], struct swap_cluster,
						   node);
		if (!cluster) {
			cluster = list_first_entry_or_null(&area->empty, struct swap_cluster, node);
			if (!cluster)
				return -ENOSPC;
			cluster->order = order;
			list_move(&cluster->node, &area->partial[order]);
		}
		at = cluster_find(cluster, order);
		if (at < CLUSTER_SLOTS)
			break;
		list_del_init(&cluster->node);
	}
	for (i = at; i < at + (1UL << order); i++)
		__set_bit(i, cluster->used);
	cluster->nr_used += 1U << order;
	return cluster->base + at;
}

/* lock held. Give a slot back if nothing holds it any more. */
static void slot_release(struct swap_area *area, unsigned long slot)
{
	struct swap_cluster *cluster = slot_cluster(area, slot);
	struct swap_slot *s = slot_at(area, slot);

	if (s->count || s->cache)
		return;
	s->ksm = false;
	__clear_bit(slot % CLUSTER_SLOTS, cluster->used);
	if (!--cluster->nr_used)
		list_move(&cluster->node, &area->empty);
	else if (list_empty(&cluster->node))
		list_add(&cluster->node, &area->partial[cluster->order]);
}

/* -- Slots ----------------------------------------------------------------------------- */

/**
 * swap_alloc - get slots
 * @world: the world
 * @nr: how many, a power of two up to 512; they are contiguous and aligned
 *
 * Nothing holds them yet: the caller puts a folio there.
 *
 * Context: may sleep. Returns the first slot, or -ENOSPC.
 */
long swap_alloc(struct um_world *world, long nr)
{
	struct swap_area *area = world->swap;
	unsigned int order = __fls(nr);
	long slot;

	do {
		spin_lock(&area->lock);
		slot = swap_take(area, order);
		spin_unlock(&area->lock);
	} while (slot < 0 && swap_grow(area));
	return slot;
}

/* One more entry names the slot, of which there is one, or its folio is locked. */
void swap_dup(struct um_world *world, unsigned long slot)
{
	struct swap_area *area = world->swap;

	spin_lock(&area->lock);
	if (!slot_at(area, slot)->count++)
		area->named++;
	spin_unlock(&area->lock);
}

bool swap_slot_ksm(struct um_world *world, unsigned long slot, bool ksm)
{
	struct swap_area *area = world->swap;
	struct swap_slot *s;

	spin_lock(&area->lock);
	s = slot_at(area, slot);
	s->ksm |= ksm;
	ksm = s->ksm;
	spin_unlock(&area->lock);
	return ksm;
}

/* One entry less. */
void swap_free(struct um_world *world, unsigned long slot)
{
	struct swap_area *area = world->swap;
	struct swap_slot *s;

	spin_lock(&area->lock);
	s = slot_at(area, slot);
	VM_BUG_ON(!s->count);
	if (!--s->count) {
		area->named--;
		slot_release(area, slot);
	}
	spin_unlock(&area->lock);
}

int swap_count(struct um_world *world, unsigned long slot)
{
	struct swap_area *area = world->swap;
	int count;

	spin_lock(&area->lock);
	count = slot_at(area, slot)->count;
	spin_unlock(&area->lock);
	return count;
}

/* Slots that entries name. Those that only the cache holds are free for the asking. */
u64 swap_slots_used(struct um_world *world)
{
	struct swap_area *area = world->swap;
	u64 named;

	spin_lock(&area->lock);
	named = area->named;
	spin_unlock(&area->lock);
	return named;
}

/* -- The cache --------------------------------------------------------------------- */

struct folio *swap_cache_get(struct um_world *world, unsigned long slot)
{
	struct swap_area *area = world->swap;
	struct folio *folio;

	spin_lock(&area->lock);
	folio = slot_at(area, slot)->cache;
	/* A frozen one is about to leave. */
	if (folio && !folio_try_get(folio))
		folio = NULL;
	spin_unlock(&area->lock);
	return folio;
}

/* lock held; the folio's slots name it, one reference for each. */
static void cache_insert(struct swap_area *area, struct folio *folio, unsigned long slot)
{
	long i, nr = folio_nr_pages(folio);

	for (i = 0; i < nr; i++)
		slot_at(area, slot + i)->cache = folio;
	atomic_add(nr, &folio->_refcount);
	WRITE_ONCE(folio->private, slot + 1);
	set_bit(PG_swapcache, &folio->flags);
}

/* lock held; the references stay, for the caller to deal with. */
static void cache_remove(struct swap_area *area, struct folio *folio)
{
	unsigned long slot = folio_swap_slot(folio);
	long i, nr = folio_nr_pages(folio);

	for (i = 0; i < nr; i++) {
		slot_at(area, slot + i)->cache = NULL;
		slot_release(area, slot + i);
	}
	WRITE_ONCE(folio->private, 0);
	clear_bit(PG_swapcache, &folio->flags);
}

/**
 * add_to_swap - give a folio slots, and put it into the cache
 * @world: the world
 * @folio: locked, anonymous, not in the cache
 *
 * Context: may sleep. Returns 0 or -ENOSPC.
 */
int add_to_swap(struct um_world *world, struct folio *folio)
{
	struct swap_area *area = world->swap;
	long slot = swap_alloc(world, folio_nr_pages(folio));

	if (slot < 0)
		return slot;
	spin_lock(&area->lock);
	cache_insert(area, folio, slot);
	spin_unlock(&area->lock);
	return 0;
}

/* Folio locked, in the cache, with a reference of the caller's. */
void delete_from_swap_cache(struct um_world *world, struct folio *folio)
{
	struct swap_area *area = world->swap;

	spin_lock(&area->lock);
	cache_remove(area, folio);
	spin_unlock(&area->lock);
	atomic_sub(folio_nr_pages(folio), &folio->_refcount);
}

static bool cache_named(struct swap_area *area, const struct folio *folio)
{
	unsigned long slot = folio_swap_slot(folio);
	long i, nr = folio_nr_pages(folio);

	for (i = 0; i < nr; i++)
		if (slot_at(area, slot + i)->count)
			return true;
	return false;
}

/**
 * folio_free_swap - leave the cache if no entry names the folio's slots
 * @world: the world
 * @folio: locked; the caller has a reference, or the lock of an entry that has one
 *
 * Returns true if it was in the cache and is not any more.
 */
bool folio_free_swap(struct um_world *world, struct folio *folio)
{
	struct swap_area *area = world->swap;
	bool freed = false;

	if (!folio_test_swapcache(folio))
		return false;
	spin_lock(&area->lock);
	if (!cache_named(area, folio)) {
		cache_remove(area, folio);
		freed = true;
	}
	spin_unlock(&area->lock);
	if (freed)
		atomic_sub(folio_nr_pages(folio), &folio->_refcount);
	return freed;
}

/* Who cannot get the lock leaves it to reclaim, or to the next. */
void swap_zap_cache(struct um_world *world, struct folio *folio)
{
	if (!folio_test_swapcache(folio) || folio_mapped(folio) || !folio_trylock(folio))
		return;
	folio_free_swap(world, folio);
	folio_unlock(folio);
}

void swap_zap(struct um_world *world, unsigned long slot)
{
	struct folio *folio;

	swap_free(world, slot);
	/* The slot may be somebody else's by now; then nothing happens to it. */
	folio = swap_cache_get(world, slot);
	if (!folio)
		return;
	swap_zap_cache(world, folio);
	folio_put(world, folio);
}

bool swap_write_out(struct um_world *world, struct folio *folio)
{
	struct swap_area *area = world->swap;
	unsigned long slot = folio_swap_slot(folio);
	long i, nr = folio_nr_pages(folio);
	bool frozen;

	spin_lock(&area->lock);
	/* Under the lock: swap_cache_get() finds all of this done, or nothing. */
	frozen = folio_ref_freeze(folio, 1 + nr);
	if (frozen) {
		for (i = 0; i < nr; i++)
			slot_at(area, slot + i)->content = READ_ONCE(folio_page(folio, i)->content);
		cache_remove(area, folio);
		folio_ref_unfreeze(folio, 1);
	}
	spin_unlock(&area->lock);
	return frozen;
}

bool swap_cache_replace(struct um_world *world, struct folio *src, struct folio *dst)
{
	struct swap_area *area = world->swap;
	unsigned long slot = folio_swap_slot(src);
	long i, nr = folio_nr_pages(src);
	bool frozen;

	spin_lock(&area->lock);
	frozen = folio_ref_freeze(src, 1 + nr);
	if (frozen) {
		for (i = 0; i < nr; i++)
			slot_at(area, slot + i)->cache = NULL;
		WRITE_ONCE(src->private, 0);
		clear_bit(PG_swapcache, &src->flags);
		cache_insert(area, dst, slot);
	}
	spin_unlock(&area->lock);
	return frozen;
}

bool swap_cache_split(struct um_world *world, struct folio *folio)
{
	struct swap_area *area = world->swap;
	unsigned long slot = folio_swap_slot(folio);
	long i, nr = folio_nr_pages(folio);
	bool frozen;

	spin_lock(&area->lock);
	frozen = folio_ref_freeze(folio, 1 + nr);
	/* The tails are no folios yet, and have no references: not to be got. */
	for (i = 1; frozen && i < nr; i++)
		slot_at(area, slot + i)->cache = (struct folio *)folio_page(folio, i);
	spin_unlock(&area->lock);
	return frozen;
}

/* -- A world's swap ---------------------------------------------------------------- */

int swap_init(struct um_world *world)
{
	struct swap_area *area = kzalloc(sizeof(*area), GFP_KERNEL);
	unsigned int order;

	if (!area)
		return -ENOMEM;
	spin_lock_init(&area->lock);
	for (order = 0; order <= HPAGE_PMD_ORDER; order++)
		INIT_LIST_HEAD(&area->partial[order]);
	INIT_LIST_HEAD(&area->empty);
	world->swap = area;
	return 0;
}

/* Folios that nobody maps may be left in the cache, where a zap could not lock them. */
static void cluster_drop(struct um_world *world, struct swap_cluster *cluster)
{
	unsigned long i;

	for (i = 0; i < CLUSTER_SLOTS; i++) {
		struct folio *folio = cluster->slot[i].cache;

		if (!folio)
			continue;
		folio_get(folio);
		delete_from_swap_cache(world, folio);
		folio_put(world, folio);
	}
}

/* No mm is left. */
void swap_destroy(struct um_world *world)
{
	struct swap_area *area = world->swap;
	unsigned long i;

	for (i = 0; i < area->nr_clusters; i++)
		cluster_drop(world, slot_cluster(area, i * CLUSTER_SLOTS));
	for (i = 0; i < area->nr_clusters; i++)
		kfree(slot_cluster(area, i * CLUSTER_SLOTS));
	for (i = 0; i < NR_LEAVES; i++)
		kfree(area->leaf[i]);
	kfree(area);
	world->swap = NULL;
}

/* -- Swap-in ----------------------------------------------------------------------- */

/*
 * A new folio, of one page, with the content of a slot; or that of somebody who was
 * quicker. NULL: no entry names the slot any more. With a reference.
 */
static struct folio *swap_read_in(struct um_world *world, unsigned long slot)
{
	struct swap_area *area = world->swap;
	struct folio *folio = folio_alloc(world, 0), *found = NULL;
	struct swap_slot *s;

	if (!folio)
		return ERR_PTR(-ENOMEM);
	spin_lock(&area->lock);
	s = slot_at(area, slot);
	if (s->cache && folio_try_get(s->cache)) {
		found = s->cache;
	} else if (s->count && !s->cache) {
		WRITE_ONCE(folio->content, s->content);
		set_bit(PG_swapbacked, &folio->flags);
		cache_insert(area, folio, slot);
		found = folio;
	}
	spin_unlock(&area->lock);
	if (found == folio) {
		atomic_long_inc(&world->swapped_in);
		lru_add(world, folio);
	} else {
		folio_put(world, folio);
	}
	return found;
}

/* Locked: is this still the folio of the slot? */
static bool swap_cache_holds(const struct folio *folio, unsigned long slot)
{
	return folio_test_swapcache(folio) &&
		slot - folio_swap_slot(folio) < (unsigned long)folio_nr_pages(folio);
}

/* What a swap entry becomes, and what is needed for it. */
struct swap_in {
	struct vm_area_struct *vma;
	unsigned long addr;
	pte_t pte;		/* the swap entry */
	struct folio *folio;	/* of the swap cache; locked */
	struct folio *copy;	/* to map instead, new; or NULL */
};

/*
 * ptl held, the swap entry is gone: it counts no more. Is the page now used by this
 * mapping only? Said by the entry; or the page is new; or it has left the swap cache,
 * as no entry names its slot any more, and the only references are those of
 * do_swap_page(), for itself and for the new entry: then there is no mapping either.
 */
static bool swap_in_exclusive(const struct swap_in *in)
{
	if (in->copy)
		return true;
	if (folio_test_ksm(in->folio))
		return false;
	return in->pte & PTE_EXCLUSIVE || folio_ref_count(in->folio) == 2;
}

/*
 * Replace the entry; ptl held. Uses up the reference on the folio that it maps. A
 * folio that has an owner keeps it: whoever has a swap entry got it by fork from the
 * owner's mm, or from one below, or (KSM) ksm_might_need_to_copy() has checked. One
 * that comes from its slot alone gets an owner that covers all who may have an entry.
 */
static void swap_in_map(const struct swap_in *in, struct um_pgtable *table)
{
	struct vm_area_struct *vma = in->vma;
	struct mm_struct *mm = vma->vm_mm;
	unsigned long slot = pte_pfn(in->pte);
	struct page *page = folio_page(in->folio, slot - folio_swap_slot(in->folio));
	pte_t bits = PTE_PRESENT | PTE_YOUNG | PTE_DIRTY;
	bool exclusive;

	swap_free(mm->world, slot);
	folio_free_swap(mm->world, in->folio);
	exclusive = swap_in_exclusive(in);
	if (in->copy) {
		page = &in->copy->page;
		folio_add_new_anon_rmap(in->copy, vma, in->addr, true);
		lru_add(mm->world, in->copy);
	} else if (!folio_test_anon(in->folio)) {
		folio_add_new_anon_rmap(in->folio, vma, in->addr, exclusive);
	} else {
		folio_add_anon_rmap(in->folio, page, 1, false, vma, in->addr, exclusive);
	}
	if (exclusive && (vma->vm_flags & VM_WRITE))
		bits |= PTE_WRITE;
	pgtable_set(table, pgtable_index(in->addr, 0),
		    mk_pte(page_to_pfn(mm->world, page), bits));
	atomic_long_dec(&mm->nr_swap);
	atomic_long_inc(&mm->nr_anon);
}

/* The page was lost in the swap cache. ptl held. */
static void swap_in_poison(const struct swap_in *in, struct um_pgtable *table)
{
	struct mm_struct *mm = in->vma->vm_mm;

	pgtable_set(table, pgtable_index(in->addr, 0),
		    mk_pte(page_to_pfn(mm->world, &in->folio->page), PTE_POISON));
	swap_free(mm->world, pte_pfn(in->pte));
	folio_free_swap(mm->world, in->folio);
	atomic_long_dec(&mm->nr_swap);
}

/* The cached folio is locked. Returns 0 or -ENOMEM; drops one reference on it, or maps it. */
static int swap_in_locked(struct swap_in *in)
{
	struct mm_struct *mm = in->vma->vm_mm;
	struct um_pgtable *table = pgtable_find(mm, in->addr, 0);
	bool poison = test_bit(PG_hwpoison, &in->folio->flags);
	struct folio *folio = in->folio;
	bool mapped = false;

	if (!poison && ((in->pte & PTE_KSM) || folio_test_ksm(folio))) {
		folio = ksm_might_need_to_copy(folio, in->vma, in->addr);
		if (IS_ERR(folio)) {
			folio_put(mm->world, in->folio);
			return PTR_ERR(folio);
		}
		in->copy = folio == in->folio ? NULL : folio;
	}
	if (table) {
		spin_lock(&table->ptl);
		if (pgtable_get(table, pgtable_index(in->addr, 0)) == in->pte) {
			if (poison)
				swap_in_poison(in, table);
			else
				swap_in_map(in, table);
			mapped = !poison;
		}
		spin_unlock(&table->ptl);
	}
	if (!mapped || in->copy)
		folio_put(mm->world, in->folio);
	if (!mapped && in->copy)
		folio_put(mm->world, in->copy);
	return 0;
}

/**
 * do_swap_page - bring a page back from swap
 * @vma: locked for a fault, or mmap_lock held
 * @addr: where
 * @pte: the swap entry that was seen there
 * @flags: FAULT_*
 *
 * Maps one page, also of a large folio in the swap cache. Writable only if it is
 * exclusive; else the next write copies.
 *
 * Context: may sleep; takes the folio lock. Returns 0, also when the entry has changed
 * meanwhile, or when it turned into a poison entry; or -ENOMEM.
 */
int do_swap_page(struct vm_area_struct *vma, unsigned long addr, pte_t pte, unsigned int flags)
{
	struct swap_in in = { .vma = vma, .addr = addr, .pte = pte };
	struct um_world *world = vma->vm_mm->world;
	struct folio *folio = swap_cache_get(world, pte_pfn(pte));
	int ret = 0;

	(void)flags;
	if (!folio)
		folio = swap_read_in(world, pte_pfn(pte));
	if (IS_ERR_OR_NULL(folio))
		return PTR_ERR_OR_ZERO(folio);
	in.folio = folio;
	/* One reference for the entry; this one is for us, who unlock it in the end. */
	folio_get(folio);
	folio_lock(folio);
	if (swap_cache_holds(folio, pte_pfn(pte)))
		ret = swap_in_locked(&in);
	else
		folio_put(world, folio);
	folio_unlock(folio);
	folio_put(world, folio);
	return ret;
}
