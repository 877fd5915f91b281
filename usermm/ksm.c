// SPDX-License-Identifier: GPL-2.0
/*
 * KSM: pages of VM_MERGEABLE VMAs that have the same content become one
 *
 * A KSM folio is mapped read-only, in any number of processes that need not be related,
 * so it has no owner. Its mapping word leads to a node, which has items: each says that
 * at an address, in the mms below an anon_vma, there may be a mapping. fork adds
 * mappings but no items: a child is below its parent's anon_vma. Pages that are about to
 * move get copies first (ksm_unmerge()), so addresses stay right.
 *
 *	folio -> node -> items {anon_vma, address} -> walk by address
 *
 * A merge replaces one entry by one of the KSM folio, which is new: no page changes its
 * nature under those who map it.
 *
 * Lifetimes. A node goes with its folio, which has no reference from here: the last
 * mapping frees it, and leaves the node stale, to be freed by the next who may sleep. An
 * item belongs to an mm, which takes it along when it exits; but if other mms map the
 * page through this item, it is handed to one of them.
 *
 * Locks: a node's items change with its folio locked and ksm->lock held, so a walk, which
 * has the folio locked, may sleep between them. ksm->lock, a leaf, is for everything
 * else here. ksm->scan_lock: one scan at a time.
 */
#include <linux/spinlock.h>
#include "fault.h"
#include "ksm.h"
#include "pgtable.h"

#ifndef KSM_HASH_BITS
#define KSM_HASH_BITS	12
#endif
#define KSM_BUCKETS	(1U << KSM_HASH_BITS)
#define KSM_BATCH	64

struct ksm_node {
	struct list_head hash;		/* in ksm->nodes, or ksm->stale */
	struct folio *folio;		/* NULL: stale */
	u64 content;			/* constant */
	struct list_head items;		/* by node_link: also the folio's lock */
};

struct ksm_item {
	struct list_head node_link;
	struct list_head place_link;	/* in ksm->places, by mm and address */
	struct list_head mm_link;	/* in ksm->mms, by mm; or in the list of who claimed it */
	struct ksm_node *node;		/* NULL: was stale */
	struct anon_vma *anon_vma;	/* with a reference; constant */
	unsigned long addr;		/* constant */
	unsigned int mm_id;
	bool claimed;			/* by a thread that will free it or hand it on */
};

/* A page that was seen once, and not merged yet. By content, in ksm->seen: scan_lock. */
struct ksm_candidate {
	struct list_head hash;
	u64 content;
	unsigned long addr;
	unsigned int mm_id;
};

struct ksm_state {
	spinlock_t lock;
	struct list_head nodes[KSM_BUCKETS];
	struct list_head places[KSM_BUCKETS];
	struct list_head mms[KSM_BUCKETS];
	struct list_head stale;
	atomic_long_t nr_nodes;		/* changes under lock; looked at without */

	struct mutex scan_lock;		/* below */
	struct list_head seen[KSM_BUCKETS];
	unsigned int next_mm;		/* where the next scan goes on */
	unsigned long next_addr;
};

static unsigned int ksm_hash(u64 x)
{
	return (x * 0x9e3779b97f4a7c15ULL) >> (64 - KSM_HASH_BITS);
}

static unsigned int place_hash(unsigned int mm_id, unsigned long addr)
{
	return ksm_hash(((u64)mm_id << 40) ^ (addr >> PAGE_SHIFT));
}

static struct ksm_node *folio_ksm_node(const struct folio *folio)
{
	unsigned long mapping = (unsigned long)READ_ONCE(folio->mapping);

	return (struct ksm_node *)(mapping & ~PAGE_MAPPING_FLAGS);
}

/* -- Items and nodes: ksm->lock held ----------------------------------------------- */

static void item_hash(struct ksm_state *ksm, struct ksm_item *item, unsigned int mm_id)
{
	item->mm_id = mm_id;
	list_add(&item->place_link, &ksm->places[place_hash(mm_id, item->addr)]);
	list_add(&item->mm_link, &ksm->mms[ksm_hash(mm_id)]);
}

static void item_unhash(struct ksm_item *item)
{
	list_del(&item->place_link);
	list_del(&item->mm_link);
}

/*
 * The place may have had another VMA, with another anon_vma, or another content, before:
 * items of that time do not count.
 */
static bool item_exists(struct ksm_state *ksm, const struct ksm_node *node,
			const struct anon_vma *anon_vma, unsigned int mm_id, unsigned long addr)
{
	struct ksm_item *item;

	list_for_each_entry(item, &ksm->places[place_hash(mm_id, addr)], place_link)
		if (item->mm_id == mm_id && item->addr == addr && item->node == node &&
		    item->anon_vma == anon_vma)
			return true;
	return false;
}

/* Put items of an mm that are of no use to it onto a list; nobody else frees them then. */
static void item_claim(struct ksm_item *item, struct list_head *claimed)
{
	item->claimed = true;
	item_unhash(item);
	list_add(&item->mm_link, claimed);
}

/* -- Freeing, with no lock held ---------------------------------------------------- */

static void item_free(struct ksm_item *item)
{
	put_anon_vma(item->anon_vma);
	kfree(item);
}

/* Take stale nodes apart. May sleep; holds no lock meanwhile that anon_vmas need. */
static void ksm_reap(struct ksm_state *ksm)
{
	struct ksm_item *item, *next;
	struct ksm_node *node;
	LIST_HEAD(items);

	spin_lock(&ksm->lock);
	while ((node = list_first_entry_or_null(&ksm->stale, struct ksm_node, hash))) {
		list_del(&node->hash);
		list_for_each_entry_safe(item, next, &node->items, node_link) {
			item->node = NULL;
			/* One that is claimed is not ours to free. */
			list_del_init(&item->node_link);
			if (item->claimed)
				continue;
			item_unhash(item);
			list_add(&item->node_link, &items);
		}
		kfree(node);
	}
	spin_unlock(&ksm->lock);

	list_for_each_entry_safe(item, next, &items, node_link)
		item_free(item);
}

/**
 * ksm_folio_freed - the last reference on a KSM folio is gone
 * @world: the world
 * @folio: without references; nobody walks it
 *
 * Context: any.
 */
void ksm_folio_freed(struct um_world *world, struct folio *folio)
{
	struct ksm_node *node = folio_ksm_node(folio);
	struct ksm_state *ksm = world->ksm;

	/* Migrated away: the node is the new folio's. */
	if (!node)
		return;
	spin_lock(&ksm->lock);
	node->folio = NULL;
	atomic_long_dec(&ksm->nr_nodes);
	list_move(&node->hash, &ksm->stale);
	spin_unlock(&ksm->lock);
}

/**
 * ksm_folio_migrated - a node gets another folio
 * @world: the world
 * @src: locked and frozen
 * @dst: locked
 */
void ksm_folio_migrated(struct um_world *world, struct folio *src, struct folio *dst)
{
	struct ksm_node *node = folio_ksm_node(src);

	spin_lock(&world->ksm->lock);
	node->folio = dst;
	/* Release: pairs with the folio lock of those who follow it; see also anon.c. */
	smp_store_release(&dst->mapping, (void *)((unsigned long)node | PAGE_MAPPING_KSM));
	WRITE_ONCE(src->mapping, (void *)PAGE_MAPPING_KSM);
	spin_unlock(&world->ksm->lock);
}

/* -- Walking ------------------------------------------------------------- */

/* The VMAs of one item. Returns false when the walk is over. */
static bool ksm_walk_item(struct folio *folio, struct ksm_item *item,
			  struct rmap_walk_control *rwc)
{
	struct anon_vma *anon_vma = item->anon_vma;
	struct vm_area_struct *vma;
	struct anon_vma_walk walk;
	bool more = true;

	if (!anon_vma_trylock_read(anon_vma)) {
		if (rwc->try_lock) {
			rwc->contended = true;
			return false;
		}
		anon_vma_lock_read(anon_vma);
	}
	anon_vma_walk_begin_address(&walk, anon_vma, item->addr);
	walk.try_lock = rwc->try_lock;
	while (more && (vma = anon_vma_walk_next(&walk))) {
		if (rwc->invalid_vma && rwc->invalid_vma(vma, rwc->arg))
			continue;
		more = rwc->rmap_one(folio, vma, walk.address, rwc->arg) &&
			!(rwc->done && rwc->done(folio));
	}
	if (walk.contended) {
		rwc->contended = true;
		more = false;
	}
	anon_vma_walk_end(&walk, true);
	return more;
}

/**
 * ksm_walk - visit every VMA that may map a KSM folio
 * @folio: locked, so that its items stay
 * @rwc: what to do; ->anon_lock is not used
 *
 * A VMA that several items lead to is visited as often.
 *
 * Context: may sleep, unless rwc->try_lock.
 */
void ksm_walk(struct folio *folio, struct rmap_walk_control *rwc)
{
	struct ksm_node *node = folio_ksm_node(folio);
	struct ksm_item *item;

	VM_BUG_ON_FOLIO(!folio_test_locked(folio), folio);
	list_for_each_entry(item, &node->items, node_link)
		if (!ksm_walk_item(folio, item, rwc))
			break;
}

/* -- Items that their mm does not need any more ------------------------------------ */

struct heir_arg {
	struct mm_struct *leaving;
	bool found;
	unsigned int heir_id;	/* the mm itself may be gone after the walk */
};

static bool heir_one(struct folio *folio, struct vm_area_struct *vma, unsigned long addr,
		     void *data)
{
	struct page_vma_mapped_walk pvmw = { .folio = folio, .vma = vma, .address = addr };
	struct heir_arg *arg = data;

	if (vma->vm_mm == arg->leaving || !page_vma_mapped_walk(&pvmw))
		return true;
	page_vma_mapped_walk_done(&pvmw);
	arg->found = true;
	arg->heir_id = vma->vm_mm->id;
	return false;
}

/*
 * The folio of a claimed item, with a reference and locked; NULL: stale. A folio that has no
 * reference is on its way out, and the node is stale in a moment; or it is frozen, because
 * what it holds moves to another folio: then the node is that one's in a moment. To take the
 * one for the other would let the item go while a migration is between its walks.
 */
static struct folio *item_lock_folio(struct ksm_state *ksm, struct um_world *world,
				     struct ksm_item *item)
{
	struct ksm_node *node;
	struct folio *folio;
	bool got;

	for (;;) {
		spin_lock(&ksm->lock);
		node = item->node;
		folio = node ? node->folio : NULL;
		got = folio && folio_try_get(folio);
		spin_unlock(&ksm->lock);
		if (!folio)
			return NULL;
		if (!got) {
			cpu_relax();
			continue;
		}
		folio_lock(folio);
		/* It may have been migrated meanwhile. */
		if (folio_ksm_node(folio) == node)
			return folio;
		folio_unlock(folio);
		folio_put(world, folio);
	}
}

/*
 * Hand a claimed item to another mm that maps the folio through it, or free it. With the
 * folio locked, so that no migration loses its way back.
 */
static void item_leave(struct ksm_state *ksm, struct mm_struct *mm, struct ksm_item *item)
{
	struct folio *folio = item_lock_folio(ksm, mm->world, item);
	struct heir_arg arg = { .leaving = mm };
	struct rmap_walk_control rwc = { .arg = &arg, .rmap_one = heir_one };

	if (folio)
		ksm_walk_item(folio, item, &rwc);
	spin_lock(&ksm->lock);
	if (arg.found) {
		item->claimed = false;
		item_hash(ksm, item, arg.heir_id);
		item = NULL;
	} else if (item->node) {
		list_del(&item->node_link);
	}
	spin_unlock(&ksm->lock);
	if (folio) {
		folio_unlock(folio);
		folio_put(mm->world, folio);
	}
	if (item)
		item_free(item);
}

/**
 * ksm_exit_mm - an mm has no users any more
 * @mm: its pages may still be mapped
 *
 * Context: may sleep; no lock held.
 */
void ksm_exit_mm(struct mm_struct *mm)
{
	struct ksm_state *ksm = mm->world->ksm;
	struct ksm_item *item, *next;
	LIST_HEAD(claimed);

	spin_lock(&ksm->lock);
	list_for_each_entry_safe(item, next, &ksm->mms[ksm_hash(mm->id)], mm_link) {
		if (item->mm_id != mm->id)
			continue;
		item_claim(item, &claimed);
	}
	spin_unlock(&ksm->lock);

	list_for_each_entry_safe(item, next, &claimed, mm_link)
		item_leave(ksm, mm, item);
	ksm_reap(ksm);
}

/*
 * A place has just been merged: into @node, and is found through @anon_vma. Items that the
 * place has from before are needed at most by descendants of the mm, which has users. No
 * lock held; the pointers are only compared.
 */
static void ksm_prune(struct mm_struct *mm, unsigned long addr, const struct ksm_node *node,
		      const struct anon_vma *anon_vma)
{
	struct ksm_state *ksm = mm->world->ksm;
	struct ksm_item *item, *next;
	LIST_HEAD(claimed);

	spin_lock(&ksm->lock);
	list_for_each_entry_safe(item, next, &ksm->places[place_hash(mm->id, addr)], place_link)
		if (item->mm_id == mm->id && item->addr == addr &&
		    (item->node != node || item->anon_vma != anon_vma))
			item_claim(item, &claimed);
	spin_unlock(&ksm->lock);

	list_for_each_entry_safe(item, next, &claimed, mm_link)
		item_leave(ksm, mm, item);
}

/* -- Merging ------------------------------------------------------------- */

/* The folio that has a content, with a reference, or NULL. */
static struct folio *ksm_find(struct ksm_state *ksm, u64 content)
{
	struct folio *folio = NULL;
	struct ksm_node *node;

	spin_lock(&ksm->lock);
	list_for_each_entry(node, &ksm->nodes[ksm_hash(content)], hash) {
		if (node->content == content && folio_try_get(node->folio)) {
			folio = node->folio;
			break;
		}
	}
	spin_unlock(&ksm->lock);
	return folio;
}

/* A new KSM folio, not mapped yet, with one reference. NULL: no memory. */
static struct folio *ksm_new(struct um_world *world, u64 content)
{
	struct ksm_node *node = kzalloc(sizeof(*node), GFP_KERNEL);
	struct folio *folio = node ? folio_alloc(world, 0) : NULL;
	struct ksm_state *ksm = world->ksm;

	if (!folio) {
		kfree(node);
		return NULL;
	}
	INIT_LIST_HEAD(&node->items);
	node->content = content;
	node->folio = folio;
	WRITE_ONCE(folio->content, content);
	set_bit(PG_swapbacked, &folio->flags);
	set_bit(PG_uptodate, &folio->flags);
	WRITE_ONCE(folio->mapping, (void *)((unsigned long)node | PAGE_MAPPING_KSM));
	spin_lock(&ksm->lock);
	list_add(&node->hash, &ksm->nodes[ksm_hash(content)]);
	atomic_long_inc(&ksm->nr_nodes);
	spin_unlock(&ksm->lock);
	lru_add(world, folio);
	return folio;
}

/* An entry whose page may be merged: which content? ptl held. */
static bool ksm_mergeable(const struct mm_struct *mm, pte_t pte, u64 *content)
{
	struct folio *folio;

	if (!pte_normal(pte))
		return false;
	folio = page_folio(pte_page(mm, pte));
	if (!folio_test_anon(folio) || folio_test_ksm(folio) || folio_test_large(folio) ||
	    test_bit(PG_hwpoison, &folio->flags))
		return false;
	*content = READ_ONCE(folio->content);
	return true;
}

/*
 * Replace an entry by one of the KSM folio. ptl held, under which the content was
 * compared: it cannot be written through another entry, as a page with a writable entry
 * is exclusive to it. Whoever else works on the old folio - it may be locked, isolated,
 * in the swap cache - finds one mapping less, as after a zap.
 */
static void ksm_replace(struct vm_area_struct *vma, unsigned long addr, struct um_pgtable *table,
			struct folio *kfolio)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned int index = pgtable_index(addr, 0);
	struct page *old = pte_page(mm, pgtable_get(table, index));
	struct folio *folio = page_folio(old);

	folio_get(kfolio);
	folio_add_anon_rmap(kfolio, &kfolio->page, 1, false, vma, addr, false);
	pgtable_set(table, index, mk_pte(page_to_pfn(mm->world, &kfolio->page),
					 PTE_PRESENT | PTE_YOUNG | PTE_DIRTY));
	folio_remove_rmap(folio, old, 1, false);
	oracle_touch(mm->world, folio);
	folio_put(mm->world, folio);
}

/* Both mmap_lock and the KSM folio's lock are held. Uses up *item if it was needed. */
static bool ksm_merge_locked(struct vm_area_struct *vma, unsigned long addr,
			     struct folio *kfolio, struct ksm_item **item)
{
	struct anon_vma *anon_vma = anon_vma_tree_anon_vma(vma->anon_vma);
	struct mm_struct *mm = vma->vm_mm;
	struct um_pgtable *table = pgtable_find(mm, addr, 0);
	struct ksm_node *node = folio_ksm_node(kfolio);
	struct ksm_state *ksm = mm->world->ksm;
	bool merged = false;
	u64 content;

	if (!node || !table)
		return false;
	spin_lock(&table->ptl);
	if (ksm_mergeable(mm, pgtable_get(table, pgtable_index(addr, 0)), &content) &&
	    content == node->content) {
		/* The item first: a walk can find the entry as soon as it is there. */
		spin_lock(&ksm->lock);
		if (!item_exists(ksm, node, anon_vma, mm->id, addr)) {
			get_anon_vma(anon_vma);
			(*item)->node = node;
			(*item)->addr = addr;
			(*item)->anon_vma = anon_vma;
			list_add_tail(&(*item)->node_link, &node->items);
			item_hash(ksm, *item, mm->id);
			*item = NULL;
		}
		spin_unlock(&ksm->lock);
		ksm_replace(vma, addr, table, kfolio);
		merged = true;
	}
	spin_unlock(&table->ptl);
	return merged;
}

/* Merge the page at an address into a KSM folio, if it still has the content. Pages merged. */
static long ksm_merge(struct mm_struct *mm, unsigned long addr, struct folio *kfolio)
{
	struct ksm_item *item = kzalloc(sizeof(*item), GFP_KERNEL);
	const struct anon_vma *anon_vma = NULL;
	const struct ksm_node *node = NULL;
	struct vm_area_struct *vma;
	bool merged = false;

	if (!item)
		return 0;
	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	/* Acquire: as in fault_prepare(). */
	if (vma && (vma->vm_flags & VM_MERGEABLE) && smp_load_acquire(&vma->anon_vma)) {
		folio_lock(kfolio);
		anon_vma = anon_vma_tree_anon_vma(vma->anon_vma);
		node = folio_ksm_node(kfolio);
		merged = ksm_merge_locked(vma, addr, kfolio, &item);
		folio_unlock(kfolio);
	}
	mmap_read_unlock(mm);
	kfree(item);
	if (!merged)
		return 0;
	atomic_long_inc(&mm->world->ksm_merged);
	ksm_prune(mm, addr, node, anon_vma);
	return 1;
}

/* -- Scanning ------------------------------------------------------------- */

struct ksm_batch {
	unsigned long addr[KSM_BATCH];
	u64 content[KSM_BATCH];
	int nr, max;
};

static int ksm_collect(struct mm_struct *mm, unsigned long addr, pte_t pte, void *data)
{
	struct um_pgtable *table = pgtable_find(mm, addr, 0);
	struct ksm_batch *batch = data;

	if (!table || !pte_normal(pte))
		return 0;
	spin_lock(&table->ptl);
	pte = pgtable_get(table, pgtable_index(addr, 0));
	batch->addr[batch->nr] = addr;
	batch->nr += ksm_mergeable(mm, pte, &batch->content[batch->nr]);
	spin_unlock(&table->ptl);
	return batch->nr == batch->max;
}

/* The next pages of an mm from *addr on, which moves behind them. */
static void ksm_collect_mm(struct mm_struct *mm, unsigned long *addr, struct ksm_batch *batch)
{
	struct vm_area_struct *vma;

	batch->nr = 0;
	mmap_read_lock(mm);
	while (batch->nr < batch->max && (vma = find_vma(mm, *addr))) {
		unsigned long start = max(*addr, vma->vm_start);

		*addr = vma->vm_end;
		if (!(vma->vm_flags & VM_MERGEABLE) || !READ_ONCE(vma->anon_vma))
			continue;
		if (pgtable_for_each(mm, start, vma->vm_end, ksm_collect, batch))
			*addr = batch->addr[batch->nr - 1] + PAGE_SIZE;
	}
	mmap_read_unlock(mm);
}

static struct ksm_candidate *ksm_seen(struct ksm_state *ksm, struct mm_struct *mm,
				      unsigned long addr, u64 content)
{
	struct ksm_candidate *seen;

	list_for_each_entry(seen, &ksm->seen[ksm_hash(content)], hash)
		if (seen->content == content)
			return seen;
	seen = kmalloc(sizeof(*seen), GFP_KERNEL);
	if (seen) {
		seen->content = content;
		seen->addr = addr;
		seen->mm_id = mm->id;
		list_add(&seen->hash, &ksm->seen[ksm_hash(content)]);
	}
	return NULL;
}

static void ksm_forget_seen(struct ksm_state *ksm)
{
	struct ksm_candidate *seen, *next;
	unsigned int i;

	for (i = 0; i < KSM_BUCKETS; i++) {
		list_for_each_entry_safe(seen, next, &ksm->seen[i], hash)
			kfree(seen);
		INIT_LIST_HEAD(&ksm->seen[i]);
	}
}

static long ksm_merge_by_id(struct um_world *world, unsigned int mm_id, unsigned long addr,
			    struct folio *kfolio)
{
	struct mm_struct *mm = NULL;
	long merged;

	while ((mm = world_next_mm(world, mm)))
		if (mm->id == mm_id)
			break;
	if (!mm)
		return 0;
	merged = ksm_merge(mm, addr, kfolio);
	mmput(mm);
	return merged;
}

/*
 * One page: merge it with a KSM folio, or together with one that was seen before, or
 * remember it. A new folio that ends up with one mapping, or none, does no harm.
 */
static long ksm_scan_page(struct mm_struct *mm, unsigned long addr, u64 content)
{
	struct um_world *world = mm->world;
	struct ksm_state *ksm = world->ksm;
	struct folio *kfolio = ksm_find(ksm, content);
	struct ksm_candidate *seen;
	long merged = 0;

	if (!kfolio) {
		seen = ksm_seen(ksm, mm, addr, content);
		if (!seen || (seen->mm_id == mm->id && seen->addr == addr))
			return 0;
		kfolio = ksm_new(world, content);
		if (!kfolio)
			return 0;
		merged = ksm_merge_by_id(world, seen->mm_id, seen->addr, kfolio);
		list_del(&seen->hash);
		kfree(seen);
	}
	merged += ksm_merge(mm, addr, kfolio);
	folio_put(world, kfolio);
	return merged;
}

/* From *addr on, *pages pages at most. */
static long ksm_scan_mm(struct mm_struct *mm, unsigned long *addr, long *pages)
{
	struct ksm_batch batch;
	long merged = 0;
	int i;

	while (*pages > 0) {
		batch.max = min(*pages, (long)KSM_BATCH);
		ksm_collect_mm(mm, addr, &batch);
		for (i = 0; i < batch.nr; i++)
			merged += ksm_scan_page(mm, batch.addr[i], batch.content[i]);
		*pages -= batch.nr;
		if (batch.nr < batch.max)
			break;
	}
	return merged;
}

/**
 * ksm_scan - look at pages, and merge those that are alike
 * @world: the world
 * @pages: how many to look at; goes on where the last scan ended, stops at the end
 *
 * Context: may sleep; no lock held. Returns pages merged.
 */
long ksm_scan(struct um_world *world, long pages)
{
	struct ksm_state *ksm = world->ksm;
	struct mm_struct *mm = NULL;
	unsigned long addr;
	long merged = 0;

	mutex_lock(&ksm->scan_lock);
	ksm_reap(ksm);
	while (pages > 0 && (mm = world_next_mm(world, mm))) {
		if (mm->id < ksm->next_mm)
			continue;
		addr = mm->id == ksm->next_mm ? ksm->next_addr : 0;
		merged += ksm_scan_mm(mm, &addr, &pages);
		ksm->next_mm = mm->id;
		ksm->next_addr = addr;
	}
	if (mm) {
		mmput(mm);
	} else {
		/* A round is over: what was seen may have changed. */
		ksm->next_mm = 0;
		ksm->next_addr = 0;
		ksm_forget_seen(ksm);
	}
	mutex_unlock(&ksm->scan_lock);
	return merged;
}

/* -- Copies ------------------------------------------------------------- */

/* Does one of the items lead to this place? Folio locked. */
static bool ksm_item_covers(struct folio *folio, struct vm_area_struct *vma, unsigned long addr)
{
	struct ksm_item *item;

	list_for_each_entry(item, &folio_ksm_node(folio)->items, node_link)
		if (item->addr == addr && vma->vm_mm->topology->covers(item->anon_vma, vma))
			return true;
	return false;
}

/**
 * ksm_might_need_to_copy - may a folio of the swap cache be mapped at this place?
 * @folio: locked; of one page; was KSM when it was swapped out, or has been read in since
 *	by another process that had an entry for it
 * @vma: where its swap entry was found
 * @addr: the same
 *
 * Processes that share a swap slot by KSM need not be related. A folio that belongs to
 * one of them by now must not be mapped where a walk from its owner does not come: that
 * the other process is in the same tree, and has it at the same offset, is not enough.
 *
 * Context: may sleep. Returns @folio, or a copy to map instead, or ERR_PTR(-ENOMEM).
 */
struct folio *ksm_might_need_to_copy(struct folio *folio, struct vm_area_struct *vma,
				     unsigned long addr)
{
	struct anon_vma *owner = folio_anon_vma(folio);
	struct folio *copy;

	if (folio_test_ksm(folio)) {
		if (ksm_item_covers(folio, vma, addr))
			return folio;
	} else if (!owner || (folio_pgoff(folio) == anon_page_index(vma, addr) &&
			      vma->vm_mm->topology->covers(owner, vma))) {
		return folio;
	}
	copy = folio_alloc(vma->vm_mm->world, 0);
	if (!copy)
		return ERR_PTR(-ENOMEM);
	WRITE_ONCE(copy->content, READ_ONCE(folio->content));
	return copy;
}

/* The entry at an address, if it is of a KSM page, or under migration; else 0. */
static pte_t unmerge_entry(struct mm_struct *mm, unsigned long addr)
{
	struct um_pgtable *table = pgtable_find(mm, addr, 0);
	pte_t pte = 0;

	if (!table)
		return 0;
	spin_lock(&table->ptl);
	pte = pgtable_get(table, pgtable_index(addr, 0));
	if (!pte_is_migration(pte) &&
	    !(pte_normal(pte) && folio_test_ksm(page_folio(pte_page(mm, pte)))))
		pte = 0;
	spin_unlock(&table->ptl);
	return pte;
}

/* Collects the addresses that ksm_unmerge() has to look at. */
static int unmerge_collect(struct mm_struct *mm, unsigned long addr, pte_t pte, void *data)
{
	struct ksm_batch *batch = data;

	(void)pte;
	if (unmerge_entry(mm, addr))
		batch->addr[batch->nr++] = addr;
	return batch->nr == batch->max;
}

/*
 * A page under migration may be a KSM page: wait for it. An entry that changes between
 * the look and the copy is under migration, or swapped out, again. Returns 0 or -ENOMEM.
 */
static int unmerge_page(struct vm_area_struct *vma, unsigned long addr)
{
	struct mm_struct *mm = vma->vm_mm;
	int err = 0;
	pte_t pte;

	while (!err && (pte = unmerge_entry(mm, addr))) {
		if (pte_is_migration(pte))
			migration_entry_wait(mm, addr);
		else
			err = fault_copy(vma, addr, pte, 0);
	}
	return err;
}

/**
 * ksm_unmerge - give KSM pages copies
 * @vma: locked for write; so nothing is merged there meanwhile
 * @start: start of the range
 * @end: its end
 *
 * Context: may sleep; no anon_vma rwsem held. Returns 0 or -ENOMEM.
 */
int ksm_unmerge(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct ksm_state *ksm = vma->vm_mm->world->ksm;
	struct ksm_batch batch = { .max = KSM_BATCH };
	int i, err = 0;

	if (!atomic_long_read(&ksm->nr_nodes) || !vma->anon_vma)
		return 0;
	do {
		batch.nr = 0;
		pgtable_for_each(vma->vm_mm, start, end, unmerge_collect, &batch);
		for (i = 0; i < batch.nr && !err; i++) {
			err = unmerge_page(vma, batch.addr[i]);
			start = batch.addr[i] + PAGE_SIZE;
		}
	} while (batch.nr == batch.max && !err);
	return err;
}

/* -- A world's KSM ------------------------------------------------------------- */

int ksm_init(struct um_world *world)
{
	struct ksm_state *ksm = kzalloc(sizeof(*ksm), GFP_KERNEL);
	unsigned int i;

	if (!ksm)
		return -ENOMEM;
	spin_lock_init(&ksm->lock);
	mutex_init(&ksm->scan_lock);
	for (i = 0; i < KSM_BUCKETS; i++) {
		INIT_LIST_HEAD(&ksm->nodes[i]);
		INIT_LIST_HEAD(&ksm->places[i]);
		INIT_LIST_HEAD(&ksm->mms[i]);
		INIT_LIST_HEAD(&ksm->seen[i]);
	}
	INIT_LIST_HEAD(&ksm->stale);
	world->ksm = ksm;
	return 0;
}

/* Nodes whose folio is only in the swap cache any more go with it. */
void ksm_destroy(struct um_world *world)
{
	struct ksm_state *ksm = world->ksm;
	struct ksm_node *node, *next;
	unsigned int i;

	for (i = 0; i < KSM_BUCKETS; i++) {
		list_for_each_entry_safe(node, next, &ksm->nodes[i], hash) {
			WRITE_ONCE(node->folio->mapping, NULL);
			list_move(&node->hash, &ksm->stale);
		}
	}
	ksm_reap(ksm);
	ksm_forget_seen(ksm);
	kfree(ksm);
	world->ksm = NULL;
}

void ksm_for_each_anon_vma_ref(struct um_world *world,
			       void (*fn)(struct anon_vma *anon_vma, void *arg), void *arg)
{
	struct ksm_state *ksm = world->ksm;
	struct ksm_item *item;
	unsigned int i;

	for (i = 0; i < KSM_BUCKETS; i++)
		list_for_each_entry(item, &ksm->mms[i], mm_link)
			fn(item->anon_vma, arg);
}
